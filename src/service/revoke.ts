import type { Origin } from "../core/audit.ts";
import { claimOf, isRefused, withoutRecord } from "../core/claim.ts";
import { type CredentialKind, fits } from "../core/credential.ts";
import type { KeyKind, KeyRecord, Revocation } from "../core/key.ts";
import { changesRevocation, repeatsCompromise } from "../core/revocation.ts";
import { Failure, invalidField } from "../error/failure.ts";
import { auditEvent } from "./audit.ts";
import { changeKey } from "./change.ts";
import type { KeyService } from "./key-service.ts";

/**
 * Revokes a key for good. The reason of a revoked key may rise (see core/revocation.ts) and never sinks; a call that would lower or repeat it
 * succeeds and changes nothing. Whoever reports a compromise is in the audit trail in any case. Rejects with KEY_NOT_FOUND, if `kind` is given also for a key of the other kind.
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

/**
 * Revokes the key whose credential the caller presents. Rejects with KEY_NOT_FOUND for every credential that is nobody's, and with
 * PUBLIC_KEY_NOT_PROOF for a public key: everybody who sees it could present it. TOO_MANY_CALLS if the compromise of
 * one key is reported again and again: each report adds to the audit trail, and dead keys get published.
 */
export async function selfRevokeKey(
  service: KeyService,
  tenant: string,
  origin: Origin,
  credential: string,
  revocation: Revocation,
  repeats: (keyId: string) => void,
): Promise<void> {
  const record = await ownerOf(service, tenant, credential);
  if (record.visibility === "public") throw new Failure("PUBLIC_KEY_NOT_PROOF");
  if (repeatsCompromise(record, revocation)) repeats(record.keyId);
  await revokeKey(service, tenant, origin, record.keyId, revocation);
}

async function ownerOf(service: KeyService, tenant: string, credential: string): Promise<KeyRecord> {
  const claim = claimOf(service, tenant, credential, service.clock());
  if (isRefused(claim)) throw refusalOf(claim.kind);
  if ("token" in claim) throw refusalOf(claim.type);
  for (const keyId of claim.keyIds) {
    const record = await service.store.get(tenant, keyId);
    if (record !== null && fits(claim, record)) return record;
  }
  throw refusalOf(withoutRecord(claim).kind);
}

function refusalOf(kind: CredentialKind): Failure {
  if (kind === "jwt" || kind === "macaroon") return invalidField("credential", "is a derived token; only API keys can be self-revoked");
  return new Failure("KEY_NOT_FOUND");
}
