import { hash } from "node:crypto";
import type { JsonValue, KeyAttributes, KeyRecord, RateLimitPolicy, Visibility } from "../core/key.ts";
import { canonicalJson } from "../core/metadata.ts";
import { Failure, invalidField } from "../error/failure.ts";
import type { KeyUse, RequestMark, UsedRequest } from "../ports/key-store.ts";
import type { KeyService } from "./key-service.ts";

/** The content of a create request, for issued and imported keys. */
export interface NewKeyRequest {
  readonly attributes: KeyAttributes;
  readonly actorId: string;
  readonly visibility: Visibility;
  /** Null: the configured default. */
  readonly ttlMs: number | null;
  /** Null: the caller does not retry. */
  readonly requestId: string | null;
}

/** A key before anything is stored. */
export function newRecord(
  service: KeyService,
  tenant: string,
  identity: Pick<KeyRecord, "kind" | "keyId" | "digest">,
  { attributes, actorId, visibility, ttlMs }: NewKeyRequest,
): KeyRecord {
  const nowMs = service.clock();
  const lifeMs = lifeOf(service, tenant, ttlMs);
  return {
    ...attributes,
    ...identity,
    revision: 1,
    firstRevision: 1,
    actorId,
    visibility,
    createTimeMs: nowMs,
    updateTimeMs: nowMs,
    expireTimeMs: lifeMs === null ? null : nowMs + lifeMs,
    revocation: null,
    disabled: false,
    lineageId: identity.keyId,
    supersededBy: null,
    lastUsedTimeMs: null,
  };
}

/** Null if the key does not expire. */
function lifeOf({ defaultKeyTtlMs, tenantSettings }: KeyService, tenant: string, ttlMs: number | null): number | null {
  const { defaultTtlMs, maxTtlMs } = tenantSettings.of(tenant);
  if (ttlMs !== null) {
    if (maxTtlMs !== null && ttlMs > maxTtlMs) throw invalidField("ttl", `must be at most ${maxTtlMs / 1000}s, the longest of this tenant`);
    return ttlMs;
  }
  const usualMs = defaultTtlMs ?? defaultKeyTtlMs;
  return maxTtlMs === null ? usualMs : Math.min(usualMs ?? maxTtlMs, maxTtlMs);
}

/** The idempotency key of a create, with a digest of all it asks for. `subject` as for `payloadDigestOf`. */
export function requestMark(request: NewKeyRequest, subject: string | null): RequestMark | null {
  const { requestId } = request;
  return requestId === null ? null : { requestId, payloadDigest: payloadDigestOf(request, subject) };
}

/**
 * Digest of everything in a create request except its request id. `subject` distinguishes requests that are otherwise equal: it is the id
 * of an imported key.
 *
 * Stores keep digests as long as request ids count as used, and processes of two releases share a store during an upgrade. So a request
 * that does not use a newer field must keep its digest: a new field goes to the end of the payload, and only if it is set.
 */
export function payloadDigestOf(request: NewKeyRequest, subject: string | null): string {
  const { attributes, actorId, visibility, ttlMs, requestId: _, ...notDigested } = request;
  const { name, scopes, metadata, rateLimitPolicy, allowedCidrs, ...notDigestedAttributes } = attributes;
  notDigested satisfies Record<string, never>;
  notDigestedAttributes satisfies Record<string, never>;
  const policy = policyPayload(rateLimitPolicy);
  const payload: JsonValue = [subject, name, [...scopes], metadata, policy, [...allowedCidrs], actorId, visibility, ttlMs];
  return digestOfJson(payload);
}

export function digestOfJson(payload: JsonValue): string {
  return hash("sha256", canonicalJson(payload), "base64url");
}

export function policyPayload(policy: RateLimitPolicy | null): JsonValue {
  return policy === null ? null : [String(policy.quota), policy.windowMs, policy.unit];
}

/** Returns the key that the first request with this id created. */
export function recordOfRequest({ payloadDigest, record }: UsedRequest, mark: RequestMark | null): KeyRecord | Failure {
  if (payloadDigest !== mark?.payloadDigest) return new Failure("REQUEST_ID_REUSED");
  return record ?? new Failure("REQUEST_ID_REUSED", { message: "the key that this request_id created was deleted" });
}

/** The error for an exhausted quota. */
export function quotaExhausted(tenant: string, { limit, used }: KeyUse): Failure {
  return new Failure("KEY_QUOTA_EXHAUSTED", {
    message: `key quota exhausted: ${used} of ${limit} keys in use; revoke or delete some`,
    quota: { subject: `tenant:${tenant}`, quotaId: "max_keys", limit, used },
  });
}
