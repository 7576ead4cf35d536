import type { Origin } from "../core/audit.ts";
import { claimOf, isRefused, mayBeGuess, withoutRecord } from "../core/claim.ts";
import { fits } from "../core/credential.ts";
import type { CredentialKind } from "../core/credential-shape.ts";
import type { KeyKind, KeyRecord, Revocation } from "../core/key.ts";
import { changesRevocation, repeatsCompromise } from "../core/revocation.ts";
import { Failure, invalidField } from "../error/failure.ts";
import { auditEvent } from "./audit.ts";
import { changeKey } from "./change.ts";
import type { KeyService } from "./key-service.ts";

/**
 * Revokes a key for good. The reason of a revoked key may rise (see core/revocation.ts) and never sinks; a call that would lower or repeat it
 * succeeds and changes nothing. Every report of a compromise is recorded in the audit trail, a repeated one too. Rejects with KEY_NOT_FOUND if
 * there is no such key, or if it is not of the given `kind`.
 */
export async function revokeKey(
  service: KeyService,
  tenant: string,
  origin: Origin,
  keyId: string,
  revocation: Revocation,
  kind?: KeyKind,
): Promise<void> {
  const { reason } = revocation;
  let isRepeated = false;
  await changeKey(service, tenant, origin, keyId, (record) => {
    if (kind !== undefined && record.kind !== kind) throw new Failure("KEY_NOT_FOUND");
    isRepeated = repeatsCompromise(record, revocation);
    return changesRevocation(record, revocation) ? { revocation } : null;
  });
  if (isRepeated) await service.store.audit.append(tenant, [auditEvent(service, origin, [keyId], { revocationReason: reason })]);
}

/** The limits of self-revocation. Each method throws TOO_MANY_CALLS if its limit is exceeded. */
export interface SelfRevocationLimits {
  /** Counts a credential that may be a guess. Called before the look-up. */
  takeGuess(): void;
  /** Counts a use of an issued key whose tag is valid. Called before the look-up. */
  takeUse(keyId: string): void;
  /** Counts one more report that a key is compromised which is known to be. Each report adds to the audit trail, and revoked keys get published. */
  takeRepeat(keyId: string): void;
}

/**
 * Revokes the key whose credential the caller presents. Rejects with KEY_NOT_FOUND if no key is found, and with PUBLIC_KEY_NOT_PROOF for a
 * public key: everybody who sees it could present it.
 */
export async function selfRevokeKey(
  service: KeyService,
  tenant: string,
  origin: Origin,
  credential: string,
  revocation: Revocation,
  limits: SelfRevocationLimits,
): Promise<void> {
  const record = await ownerOf(service, tenant, credential, limits);
  if (record.visibility === "public") throw new Failure("PUBLIC_KEY_NOT_PROOF");
  if (repeatsCompromise(record, revocation)) limits.takeRepeat(record.keyId);
  await revokeKey(service, tenant, origin, record.keyId, revocation);
}

async function ownerOf(
  service: KeyService,
  tenant: string,
  credential: string,
  { takeGuess, takeUse }: Pick<SelfRevocationLimits, "takeGuess" | "takeUse">,
): Promise<KeyRecord> {
  const claim = claimOf(service, tenant, credential, service.clock());
  if (mayBeGuess(claim)) takeGuess();
  if (isRefused(claim)) throw refusalOf(claim.kind);
  if ("token" in claim) throw refusalOf(claim.type);
  if (claim.type === "issued") takeUse(claim.keyIds[0]);
  for (const keyId of claim.keyIds) {
    const record = await service.store.get(tenant, keyId);
    if (record !== null && fits(claim, record)) return record;
  }
  throw refusalOf(withoutRecord(claim).kind);
}

function refusalOf(kind: CredentialKind): Failure {
  switch (kind) {
    case "jwt":
    case "macaroon":
      return invalidField("credential", "is a derived token; only API keys can be self-revoked");
    case "issued":
    case "imported":
    case "none":
      return new Failure("KEY_NOT_FOUND");
  }
}
