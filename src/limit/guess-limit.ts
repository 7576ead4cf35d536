import type { Address } from "../core/address.ts";
import { clientNetwork } from "../core/client-network.ts";
import type { RateLimitPolicy } from "../core/key.ts";
import type { LocalLedger } from "../ports/ledger.ts";

/**
 * How often one client may try what could be guessed, by its address, IPv6 by /64. Counted by each process for itself. Clients whose address
 * is unknown cannot be told apart: they share one count.
 */
export interface GuessLimit {
  /** Counts one try. Returns null if it may go on, else how long to wait in ms. */
  take(client: Address | null): number | null;
  /** The same without counting. */
  look(client: Address | null): number | null;
}

/** `kind` keeps what is counted apart in one ledger; without a policy there is no limit. */
export function createGuessLimit(ledger: LocalLedger, kind: string, policy: RateLimitPolicy | null): GuessLimit {
  if (policy === null) return { take: () => null, look: () => null };
  const unitMs = Math.ceil(policy.windowMs / Number(policy.quota));
  return {
    take: (client) => ledger.take(kind, networkOf(client), policy, 1).retryAfterMs || null,
    look(client) {
      const network = networkOf(client);
      if (!ledger.mayOwe(kind, network)) return null;
      return ledger.take(kind, network, policy, 0).remaining > 0n ? null : unitMs;
    },
  };
}

/** No network is "". */
function networkOf(client: Address | null): string {
  return client === null ? "" : clientNetwork(client);
}
