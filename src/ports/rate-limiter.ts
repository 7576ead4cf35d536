import type { RateLimitPolicy } from "../core/key.ts";
import type { Taken } from "../core/rate-limit.ts";

/** A limit, and the id under which its debt is stored. */
export interface Limit {
  readonly id: string;
  readonly policy: RateLimitPolicy;
}

/**
 * Enforces the rate limits of keys. Takes of one key take effect in the order in which they began; one that needs no server may be answered
 * before one that does. The takes of one turn of the event loop that need a server share a round trip. Never rejects.
 */
export interface RateLimiter {
  /**
   * Takes `cost` units at once, or none of them. A cost of 0 takes nothing, is always admitted, and returns what is left. The unit of the
   * policy must be `requests`.
   */
  take(tenant: string, keyId: string, policy: RateLimitPolicy, cost: number): Taken | Promise<Taken>;

  /**
   * Takes `cost` units from all limits, or from none if one refuses, in one step, also across processes. Each result says whether that
   * limit had room. The ids must differ, and must begin with the same text in braces (core/limit-ids.ts).
   */
  takeAll(tenant: string, limits: readonly Limit[], cost: number): readonly Taken[] | Promise<readonly Taken[]>;
}
