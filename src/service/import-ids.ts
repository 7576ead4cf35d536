import { rawKeyProblem } from "../core/credential.ts";
import { readCredential } from "../core/read-credential.ts";
import { Failure, invalidField } from "../error/failure.ts";
import type { KeyService } from "./key-service.ts";

/** The key as its holders send it, or its SHA-256 if nobody has the key any more. It is not stored. */
export type ImportKey = { readonly raw: string } | { readonly sha256: Uint8Array };

export interface ImportIds {
  /** Under which a new import is stored. */
  readonly keyId: string;
  /** Under which the key is stored if it was imported under a retired server secret. */
  readonly formerIds: readonly string[];
  /** The id of the issued key that the text may be what is left of. Null if it cannot be that. */
  readonly damagedId: string | null;
}

const maxIdsPerRead = 1000;

/**
 * Returns INVALID_REQUEST if the text cannot be an imported key, such as a credential of this service. A digest does not show what it was
 * made from: a key imported by the digest of such a credential is never found.
 */
export function importIdsOf(service: KeyService, tenant: string, key: ImportKey): ImportIds | Failure {
  if ("sha256" in key) return importIds(service.credentials.importedKeyIds(tenant, key.sha256), null);
  const presented = readCredential(service, tenant, key.raw, service.clock());
  const isImported = "keyIds" in presented && presented.type === "imported";
  if (!isImported || service.tokens.isDamagedToken(tenant, key.raw)) {
    return invalidField("raw_key", rawKeyProblem(key.raw) ?? "must not be a credential of this service, intact or damaged");
  }
  const damaged = service.credentials.damagedKey(tenant, key.raw);
  return damaged !== null && damaged.keyId === null ? damagedKeyRefused() : importIds(presented.keyIds, damaged?.keyId ?? null);
}

function importIds([keyId, ...formerIds]: readonly [string, ...string[]], damagedId: string | null): ImportIds {
  return { keyId, formerIds, damagedId };
}

/** Returns which of the ids exist that decide whether the keys may be imported. */
export async function idsInUse({ store }: KeyService, tenant: string, keys: readonly ImportIds[]): Promise<ReadonlySet<string>> {
  const ids = keys.flatMap(({ formerIds, damagedId }) => (damagedId === null ? formerIds : [...formerIds, damagedId]));
  const used = new Set<string>();
  for (let start = 0; start < ids.length; start += maxIdsPerRead) {
    const part = ids.slice(start, start + maxIdsPerRead);
    for (const record of await store.getMany(tenant, part)) if (record !== null) used.add(record.keyId);
  }
  return used;
}

/** Returns why a key must not be imported if these ids exist. Null if it may be. */
export function refusalIfUsed({ formerIds, damagedId }: ImportIds, used: ReadonlySet<string>): Failure | null {
  if (damagedId !== null && used.has(damagedId)) return damagedKeyRefused();
  return formerIds.some((id) => used.has(id)) ? new Failure("KEY_ALREADY_EXISTS") : null;
}

function damagedKeyRefused(): Failure {
  return invalidField("raw_key", "must not be a damaged key of this service; a key of another system can be imported by raw_key_sha256");
}
