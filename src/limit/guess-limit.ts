import type { Address } from "../core/address.ts";
import { clientNetwork } from "../core/client-network.ts";
import type { RateLimitPolicy } from "../core/key.ts";
import { defaultTenant } from "../core/tenant.ts";
import type { LocalLedger } from "../ports/ledger.ts";

/**
 * Limits how often one client may present credentials that may be guesses. A client is an IPv4 address, or a /64 of IPv6. Each process
 * counts by itself. Clients with an unknown address share one count.
 */
export interface GuessLimit {
  /** Counts one attempt. Returns null if the client may continue, otherwise how long to wait, in ms. */
  take(client: Address | null, tenant?: string): number | null;
  /** The same, but does not count. */
  look(client: Address | null, tenant?: string): number | null;
}

/** `kind` separates the counts of different limits in one ledger. Without a policy there is no limit. */
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

/** The limit of each tenant, with separate counts. Null: that of the installation. */
export function createTenantGuessLimit(
  ledger: LocalLedger,
  kind: string,
  policy: RateLimitPolicy | null,
  settings: { of(tenant: string): { readonly failedVerifyLimit: RateLimitPolicy | null } },
): GuessLimit {
  const usual = createGuessLimit(ledger, kind, policy);
  const limitOf = (tenant: string | undefined): GuessLimit => {
    if (tenant === undefined) return usual;
    const own = settings.of(tenant).failedVerifyLimit;
    if (own === null && (policy === null || tenant === defaultTenant)) return usual;
    return createGuessLimit(ledger, `${kind} ${tenant}`, own ?? policy);
  };
  return {
    take: (client, tenant) => limitOf(tenant).take(client),
    look: (client, tenant) => limitOf(tenant).look(client),
  };
}

/** Empty for an unknown address. No network has this name. */
function networkOf(client: Address | null): string {
  return client === null ? "" : clientNetwork(client);
}
