import type { Address } from "./address.ts";
import { type KeyRecord, statusAt } from "./key.ts";
import { inAnyRange } from "./range-list.ts";

export type RefusalCode =
  | "invalid_format"
  | "expired"
  | "revoked"
  | "not_found"
  | "signature_invalid"
  | "internal"
  | "ip_not_allowed"
  | "rate_limited"
  | "guess_limited"
  /** A genuine token that is for somebody else. Callers are told NOT_FOUND. */
  | "wrong_audience"
  | "insufficient_scope";

/** `record` is the key in question, where one is known and the caller proved to hold it. */
export type Verdict =
  | { readonly isValid: true; readonly record: KeyRecord }
  | { readonly isValid: false; readonly code: RefusalCode; readonly record: KeyRecord | null };

/** What a key is judged against. */
export interface Circumstances {
  readonly nowMs: number;
  /** Called only for keys that are bound to addresses. Null: unknown, which no range holds. */
  readonly endUserAddress: () => Address | null;
  /** All of them must be held. */
  readonly requiredScopes: readonly string[];
}

/** Judges a record whose credential was proven, at this moment. Pure: the record may come from a cache, the verdict never does. */
export function decide(record: KeyRecord, circumstances: Circumstances): Verdict {
  const status = statusAt(record, circumstances.nowMs);
  if (status !== "active") return { isValid: false, code: status, record };
  if (record.allowedCidrs.length > 0 && !inAnyRange(circumstances.endUserAddress(), record.allowedCidrs)) {
    return { isValid: false, code: "ip_not_allowed", record };
  }
  if (!circumstances.requiredScopes.every((scope) => record.scopes.includes(scope))) {
    return { isValid: false, code: "insufficient_scope", record };
  }
  return { isValid: true, record };
}
