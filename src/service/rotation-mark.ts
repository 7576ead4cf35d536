import type { JsonValue, KeyOverrides } from "../core/key.ts";
import type { RequestMark } from "../ports/key-store.ts";
import { digestOfJson, policyPayload } from "./new-key.ts";

/** The content of a rotation request. */
export interface Rotation {
  readonly keyId: string;
  /** Fields that the new key does not inherit. */
  readonly overrides: KeyOverrides;
  /** How long the old key stays active. 0: it is revoked. */
  readonly graceMs: number;
  /** The life of the new key. Null: it expires when the old one would have. */
  readonly ttlMs: number | null;
  /** Null: the caller does not retry. */
  readonly requestId: string | null;
}

/**
 * The idempotency key of a rotation, with a digest of its payload. It never equals the digest of a create, because its payload begins
 * differently.
 */
export function rotationMark({ requestId, keyId, overrides, graceMs, ttlMs }: Rotation): RequestMark | null {
  if (requestId === null) return null;
  const payload: { [name: string]: JsonValue } = {};
  for (const [name, value] of Object.entries(overrides)) payload[name] = value as JsonValue;
  if (overrides.rateLimitPolicy !== undefined) payload.rateLimitPolicy = policyPayload(overrides.rateLimitPolicy);
  return { requestId, payloadDigest: digestOfJson(["rotate", keyId, payload, graceMs, ttlMs]) };
}
