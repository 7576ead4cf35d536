import type { RateLimitPolicy } from "../core/key.ts";
import type { LocalLedger } from "../ports/ledger.ts";
import { createGuessLimit, type GuessLimit } from "./guess-limit.ts";

/**
 * Limits self-revocation and self-inspection, which everybody may call. Each process counts on its own. The methods return null if the call
 * may continue, otherwise how long to wait, in ms.
 */
export interface SelfRevokeLimits {
  /** Counts credentials that may be guesses, by the address of the caller. */
  readonly guesses: Pick<GuessLimit, "take">;
  /** Counts a use of an issued key, by the key. So guesses of others do not prevent its holders from revoking it. */
  takeUse(keyId: string): number | null;
  /** Counts an inspection of a key by its holder, by key. */
  takeLook(keyId: string): number | null;
  /** Counts a repeated report that a key is compromised, by the key, whoever reports it. */
  takeRepeat(keyId: string): number | null;
}

/** A bound for repeated reports: each is written to the audit trail, and everybody may know a published key. */
const repeats: RateLimitPolicy = { quota: 10n, windowMs: 60_000, unit: "requests" };

/** Without a policy, only repeated reports are limited. */
export function createSelfRevokeLimits(ledger: LocalLedger, policy: RateLimitPolicy | null): SelfRevokeLimits {
  return {
    guesses: createGuessLimit(ledger, "self-revoke", policy),
    takeUse: (keyId) => (policy === null ? null : ledger.take("self-revoke key", keyId, policy, 1).retryAfterMs || null),
    takeLook: (keyId) => (policy === null ? null : ledger.take("self-inspect key", keyId, policy, 1).retryAfterMs || null),
    takeRepeat: (keyId) => ledger.take("repeated self-revoke", keyId, repeats, 1).retryAfterMs || null,
  };
}
