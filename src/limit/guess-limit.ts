import { createBoundedMemory } from "../core/bounded-memory.ts";
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

const rememberedAddresses = 10_000;

/** `kind` keeps what is counted apart in one limiter; without a policy there is no limit. */
export function createGuessLimit(limiter: LocalRateLimiter, kind: string, policy: RateLimitPolicy | null): GuessLimit {
  if (policy === null) return { take: () => null, look: () => null };
  const unitMs = Math.ceil(policy.windowMs / Number(policy.quota));
  // Every verification with a client_ip passes here, and reading an IPv6 address takes longer than all the rest of it.
  const networks = createBoundedMemory<string>(rememberedAddresses);
  const networkOf = (address: string): string => {
    if (!address.includes(":")) return address;
    const known = networks.get(address);
    if (known !== undefined) return known;
    const network = clientNetwork(address);
    networks.set(address, network);
    return network;
  };
  return {
    take: (address) => limiter.take(kind, networkOf(address), policy, 1).retryAfterMs || null,
    look(address) {
      const network = networkOf(address);
      if (!limiter.mayOwe(kind, network)) return null;
      return limiter.take(kind, network, policy, 0).remaining > 0n ? null : unitMs;
    },
  };
}
