import type { Origin } from "../core/audit.ts";
import type { CredentialKind } from "../core/credential-shape.ts";
import type { KeyKind, KeyRecord, Revocation } from "../core/key.ts";
import { isRefused, mayBeGuess, readCredential, refusalWithoutRecord } from "../core/read-credential.ts";
import { changesRevocation, repeatsCompromise } from "../core/revocation.ts";
import { Failure, invalidField } from "../error/failure.ts";
import { auditEvent } from "./audit.ts";
import { changeKey } from "./change.ts";
import { findRecord } from "./find-record.ts";
import type { KeyService } from "./key-service.ts";

export interface RevokeRequest {
  readonly keyId: string;
  readonly revocation: Revocation;
  /** Keys of the other kind count as not found. Undefined: keys of both kinds. */
  readonly kind?: KeyKind | undefined;
  /** Called before a repeated report of a compromise is recorded. If it throws, the report is not recorded. */
  readonly admitRepeat?: () => void;
}

export interface SelfRevokeRequest {
  readonly credential: string;
  readonly revocation: Revocation;
}

/**
 * Revokes a key permanently, even if it is disabled. A revoked key may get a more serious reason (see core/revocation.ts), never a less
 * serious one: such a call succeeds and changes nothing. The audit trail records every report of a compromise, even a repeated one. Rejects
 * with KEY_NOT_FOUND if no key is found, or if it is not of the given kind.
 */
export async function revokeKey(
  service: KeyService,
  tenant: string,
  origin: Origin,
  { keyId, revocation, kind, admitRepeat }: RevokeRequest,
): Promise<void> {
  let isRepeated = false;
  await changeKey(service, tenant, origin, keyId, (record) => {
    if (kind !== undefined && record.kind !== kind) throw new Failure("KEY_NOT_FOUND");
    isRepeated = repeatsCompromise(record, revocation);
    return changesRevocation(record, revocation) ? { revocation, disabled: false } : null;
  });
  if (!isRepeated) return;
  admitRepeat?.();
  await service.store.audit.append(tenant, [auditEvent(service, origin, [keyId], { revocationReason: revocation.reason })]);
}

/** The limits of self-revocation. Each method throws TOO_MANY_CALLS if its limit is exceeded. */
export interface SelfRevocationLimits {
  /** Counts a credential that may be a guess. Called before the look-up. */
  takeGuess(): void;
  /** Counts a use of an issued key whose tag is valid. Called before the look-up. */
  takeUse(keyId: string): void;
  /** Counts a repeated report that a key is compromised. Every report adds to the audit trail, and anybody may know a published key. */
  takeRepeat(keyId: string): void;
}

/**
 * Revokes the key that the caller presents. Rejects with KEY_NOT_FOUND if no key is found, and with PUBLIC_KEY_NOT_PROOF for a public key,
 * which anybody who sees it could present. Rejects with TENANT_SUSPENDED if the key's tenant is suspended.
 */
export async function selfRevokeKey(
  service: KeyService,
  tenant: string,
  origin: Origin,
  { credential, revocation }: SelfRevokeRequest,
  limits: SelfRevocationLimits,
): Promise<void> {
  const record = await ownerOf(service, tenant, credential, limits);
  if (service.tenantSettings.of(tenant).suspended) throw new Failure("TENANT_SUSPENDED");
  if (record.visibility === "public") throw new Failure("PUBLIC_KEY_NOT_PROOF");
  const { keyId } = record;
  const admitRepeat = () => limits.takeRepeat(keyId);
  // A report that only turns out to be repeated, because others came at the same time, is counted then.
  const isRepeated = repeatsCompromise(record, revocation);
  if (isRepeated) admitRepeat();
  await revokeKey(service, tenant, origin, { keyId, revocation, ...(!isRepeated && { admitRepeat }) });
}

async function ownerOf(
  service: KeyService,
  tenant: string,
  credential: string,
  { takeGuess, takeUse }: Pick<SelfRevocationLimits, "takeGuess" | "takeUse">,
): Promise<KeyRecord> {
  const presented = readCredential(service, tenant, credential, service.clock());
  if (mayBeGuess(presented)) takeGuess();
  if (isRefused(presented)) throw refusalOf(presented.kind);
  if ("token" in presented) throw refusalOf(presented.type);
  if (presented.type === "issued") takeUse(presented.keyIds[0]);
  const record = await findRecord(presented, (keyId) => service.store.get(tenant, keyId));
  if (record === null) throw refusalOf(refusalWithoutRecord(presented).kind);
  return record;
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
