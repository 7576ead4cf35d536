import type { Address } from "./address.ts";
import { type KeyRecord, statusAt } from "./key.ts";
import { inAnyRange } from "./range-list.ts";

export type RefusalCode =
  | "invalid_format"
  | "expired"
  | "revoked"
  /** Callers get REVOKED. */
  | "disabled"
  | "not_found"
  | "signature_invalid"
  | "internal"
  | "ip_not_allowed"
  | "rate_limited"
  /** Refused by the limit that the keys of the actor share. */
  | "actor_rate_limited"
  | "guess_limited"
  /** A valid token for another audience. Callers get NOT_FOUND. */
  | "wrong_audience"
  | "insufficient_scope";

/** `record` is the record of the key. Null if no key is known, or if the caller did not prove to hold it. */
export type Verdict =
  | { readonly isValid: true; readonly record: KeyRecord }
  | { readonly isValid: false; readonly code: RefusalCode; readonly record: KeyRecord | null };

/** The circumstances of a verification, against which a key is judged. */
export interface Circumstances {
  readonly nowMs: number;
  /** Called only for keys with address ranges. Null: unknown, and so in no range. */
  readonly endUserAddress: () => Address | null;
  /** The key must have all of these. */
  readonly requiredScopes: readonly string[];
}

/**
 * Judges a record at this moment. The caller must have proven the credential. Pure: the record may come from a cache, but a verdict never
 * does.
 */
export function decide(record: KeyRecord, circumstances: Circumstances): Verdict {
  const status = statusAt(record, circumstances.nowMs);
  if (status !== "active") return { isValid: false, code: record.disabled ? "disabled" : status, record };
  if (record.allowedCidrs.length > 0 && !inAnyRange(circumstances.endUserAddress(), record.allowedCidrs)) {
    return { isValid: false, code: "ip_not_allowed", record };
  }
  if (!circumstances.requiredScopes.every((scope) => record.scopes.includes(scope))) {
    return { isValid: false, code: "insufficient_scope", record };
  }
  return { isValid: true, record };
}
