import type { Origin } from "../core/audit.ts";
import { fits, isClaim } from "../core/credential.ts";
import type { KeyKind, KeyRecord, Revocation } from "../core/key.ts";
import { Failure, invalidField } from "../error/failure.ts";
import { changeKey } from "./change.ts";
import type { KeyService } from "./key-service.ts";

/**
 * Revokes a key for good. A key that is revoked already keeps its first reason. Rejects with KEY_NOT_FOUND, where `kind` is given also for a
 * key of the other kind.
 */
export async function revokeKey(
  service: KeyService,
  tenant: string,
  origin: Origin,
  keyId: string,
  revocation: Revocation,
  kind?: KeyKind,
): Promise<void> {
  await changeKey(service, tenant, origin, keyId, (record) => {
    if (kind !== undefined && record.kind !== kind) throw new Failure("KEY_NOT_FOUND");
    return record.revocation === null ? { revocation } : null;
  });
}

/** The limits of self-revocation. Each throws TOO_MANY_CALLS where it is met. */
export interface SelfRevocationLimits {
  /** For a credential that may be a guess, before it is looked up. */
  takeGuess(): void;
  /** For an issued key whose tag is valid. */
  takeUse(keyId: string): void;
}

/** Revokes the key whose credential the caller presents. Rejects with KEY_NOT_FOUND for every credential that is nobody's. */
export async function selfRevokeKey(
  service: KeyService,
  tenant: string,
  origin: Origin,
  credential: string,
  revocation: Revocation,
  limits: SelfRevocationLimits,
): Promise<void> {
  const record = await ownerOf(service, tenant, credential, limits);
  await revokeKey(service, tenant, origin, record.keyId, revocation);
}

async function ownerOf(
  { credentials, store, clock }: KeyService,
  tenant: string,
  credential: string,
  { takeGuess, takeUse }: SelfRevocationLimits,
): Promise<KeyRecord> {
  const presented = credentials.parse(tenant, credential, clock());
  if (presented.type === "jwt" || presented.type === "macaroon") {
    throw invalidField("credential", "is a derived token; only API keys can be self-revoked");
  }
  // An issued key has a tag, which nobody can guess; what is unreadable can be no key, and so is no guess.
  if (presented.type === "forged" || presented.type === "imported") takeGuess();
  if (!isClaim(presented)) throw new Failure("KEY_NOT_FOUND");
  if (presented.type === "issued") takeUse(presented.keyIds[0]);
  for (const keyId of presented.keyIds) {
    const record = await store.get(tenant, keyId);
    if (record !== null && fits(presented, record)) return record;
  }
  throw new Failure("KEY_NOT_FOUND");
}
