import type { RateLimitPolicy } from "../core/key.ts";
import type { Taken } from "../core/rate-limit.ts";

/**
 * Enforces the rate limits of keys. Takes of one key take effect in the order in which they began. If an implementation needs a server, the
 * takes of one turn of the event loop share a round trip. Never rejects.
 */
export interface RateLimiter {
  /**
   * Takes `cost` units at once, or none of them. A cost of 0 takes nothing, is always admitted, and returns what is left. The unit of the
   * policy must be `requests`.
   */
  take(tenant: string, keyId: string, policy: RateLimitPolicy, cost: number): Taken | Promise<Taken>;
}
