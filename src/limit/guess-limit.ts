import { clientNetwork } from "../core/client-network.ts";
import type { RateLimitPolicy } from "../core/key.ts";
import type { LocalRateLimiter } from "../ports/rate-limiter.ts";

/** How often somebody may try what could be guessed, by client address, IPv6 by /64. Counted by each process for itself. */
export interface GuessLimit {
  /** Counts one try. Null where it may go on, else for how long to wait. */
  take(address: string): number | null;
  /** The same without counting. */
  look(address: string): number | null;
}

/** `kind` keeps what is counted apart in one limiter; without a policy there is no limit. */
export function createGuessLimit(limiter: LocalRateLimiter, kind: string, policy: RateLimitPolicy | null): GuessLimit {
  if (policy === null) return { take: () => null, look: () => null };
  const unitMs = Math.ceil(policy.windowMs / Number(policy.quota));
  return {
    take: (address) => limiter.take(kind, clientNetwork(address), policy, 1).retryAfterMs || null,
    look: (address) => (limiter.take(kind, clientNetwork(address), policy, 0).remaining > 0n ? null : unitMs),
  };
}
