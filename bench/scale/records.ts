import { hash } from "node:crypto";
import { createCredentials, digestOf } from "../../src/core/credential.ts";
import type { KeyKind, KeyRecord } from "../../src/core/key.ts";
import { defaultTenant } from "../../src/core/tenant.ts";
import { dayMs } from "../../src/core/time-units.ts";
import { ulidTime } from "../../src/core/ulid.ts";
import { keyRecord } from "../../test/support/key-record.ts";

/** The contents of a filled store. Everything about each of its keys follows from this and the key's index. */
export interface Filling {
  readonly kind: KeyKind;
  readonly count: number;
  readonly filledMs: number;
}

/** Each name, scope and team has 1 key in 50. An actor has about 100 keys, however many keys there are. */
export const groups = 50;
const keysOfActor = 100;
/** 1 key in 100 has a credential that verifies. */
export const keysOfCredential = 100;
const secrets = { current: "bench/scale.ts, a secret of 32 characters or more", retired: [] };
const prefixes = { secret: "kw", public: "kw_pub", retired: [] };
const fillerDigest = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
const tenant = defaultTenant;

export function actorsOf({ count }: Filling): number {
  return Math.ceil(count / keysOfActor);
}

/** The ids of issued keys sort by time, those of imported keys by nothing. */
export function keyIdOf(filling: Filling, index: number): string {
  const digest = hash("sha256", String(index));
  if (filling.kind === "imported") return digest;
  return ulidTime(createTimeMs(filling, index)) + digest.slice(0, 16).toUpperCase();
}

/** The keys were created one after the other in 200 days. */
export function createTimeMs({ count, filledMs }: Omit<Filling, "kind">, index: number): number {
  return filledMs - 200 * dayMs + Math.floor((index / count) * 199 * dayMs);
}

/** The credential of an issued key. Only that of every `keysOfCredential`th key is stored. */
export function credentialOf(filling: Filling, index: number): string {
  const bytes = Buffer.from(hash("sha256", `random of ${index}`, "buffer"));
  return createCredentials(secrets, prefixes, () => bytes).mint(tenant, keyIdOf(filling, index), "secret");
}

export function digestIn(filling: Filling, index: number): string {
  return filling.kind === "issued" && index % keysOfCredential === 0 ? digestOf(credentialOf(filling, index)) : fillerDigest;
}

export const credentials = (randomBytes: (byteLength: number) => Uint8Array) => createCredentials(secrets, prefixes, randomBytes);

/**
 * 1 key in 5 lives for 90 days, 2 of 5 live for a year, the others do not expire. 1 in 10 is revoked. No key was used yet, as in a store
 * that is new. All of these, and the actors, are independent of each other.
 */
export function recordOf(filling: Filling, index: number): KeyRecord {
  const { kind } = filling;
  const random = hash("sha256", `record of ${index}`, "buffer");
  const [actor, name, area] = [0, 4, 8].map((at) => random.readUInt32LE(at)) as [number, number, number];
  const [team, life, state] = [12, 16, 20].map((at) => random.readUInt32LE(at)) as [number, number, number];
  const hasCredential = kind === "issued" && index % keysOfCredential === 0;
  const createdMs = createTimeMs(filling, index);
  const lifeMs = [90 * dayMs, 365 * dayMs, 365 * dayMs, null, null][life % 5] ?? null;
  return keyRecord({
    kind,
    keyId: keyIdOf(filling, index),
    digest: digestIn(filling, index),
    actorId: `user-${actor % actorsOf(filling)}`,
    name: `service-${name % groups}-key`,
    scopes: ["invoices:read", `area-${area % groups}`],
    metadata: { team: `team-${team % groups}`, stage: "production" },
    createTimeMs: createdMs,
    updateTimeMs: createdMs,
    expireTimeMs: lifeMs === null ? null : createdMs + lifeMs,
    revocation: !hasCredential && state % 10 === 3 ? { reason: "superseded", description: "" } : null,
  });
}
