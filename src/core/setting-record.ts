import type { KeyRecord } from "./key.ts";

/*
 * Tenants and limits of actors are stored as records beside the keys, under ids that no key can have. So a change of one is written with
 * its audit event, announced and cached like a change of a key, with the same bounds. The records are revoked, so they count in no quota
 * and could not verify if they were mistaken for keys.
 */

/** No ULID and no hex digits begin with one of these. */
const firstLetters = { tenant: "t", actor_limit: "l" } as const;

export type SettingKind = keyof typeof firstLetters;

/** `text` consists of ASCII letters and digits. */
export function settingRecordId(kind: SettingKind, text: string): string {
  return firstLetters[kind] + text;
}

/** Returns the text from which `settingRecordId` made an id. Null for ids of keys and of other settings. */
export function settingTextOf(kind: SettingKind, recordId: string): string | null {
  return recordId.startsWith(firstLetters[kind]) ? recordId.slice(1) : null;
}

/** Returns whether no key can have this id. Every insert of such a record is announced, so caches may remember its absence for long. */
export function isSettingRecordId(recordId: string): boolean {
  return recordId.startsWith(firstLetters.tenant) || recordId.startsWith(firstLetters.actor_limit);
}

const neverAKey = { reason: "privilege_withdrawn", description: "" } as const;

/** The first record of a setting, without its content. */
export function newSettingRecord(kind: SettingKind, recordId: string, nowMs: number): KeyRecord {
  return {
    kind,
    keyId: recordId,
    revision: 1,
    firstRevision: 1,
    digest: "",
    name: "",
    actorId: "",
    scopes: [],
    metadata: null,
    rateLimitPolicy: null,
    allowedCidrs: [],
    visibility: "secret",
    createTimeMs: nowMs,
    updateTimeMs: nowMs,
    expireTimeMs: null,
    lastUsedTimeMs: null,
    revocation: neverAKey,
    disabled: false,
    lineageId: recordId,
    supersededBy: null,
  };
}
