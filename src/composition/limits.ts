import { createLocalLimits } from "../adapters/open.ts";
import { createTenantGuessLimit, type GuessLimit } from "../limit/guess-limit.ts";
import { createSharedRateLimiter } from "../limit/rate-limiter.ts";
import { createSelfRevokeLimits, type SelfRevokeLimits } from "../limit/self-revoke-limits.ts";
import type { RateLimiter } from "../ports/rate-limiter.ts";
import type { Given } from "./given.ts";
import { schedule } from "./schedule.ts";
import type { Storage } from "./storage.ts";

export interface AppLimits {
  /** Enforces the limits of keys. Without Redis each process counts on its own. */
  readonly rateLimiter: RateLimiter;
  readonly guesses: GuessLimit;
  readonly selfRevokes: SelfRevokeLimits;
}

const maxLimitedAddresses = 100_000;

export function createAppLimits({ config, monotonicMs }: Given, { shared, tenants }: Storage): AppLimits {
  const { keys, addresses } = createLocalLimits({
    maxKeys: config.cacheMaxEntries,
    maxAddresses: maxLimitedAddresses,
    monotonicMs,
    isFollower: shared !== null,
  });
  return {
    rateLimiter:
      shared === null
        ? keys
        : createSharedRateLimiter({ local: keys, shared: shared.ledger, outage: config.rateLimitOutage, monotonicMs, schedule }),
    guesses: createTenantGuessLimit(addresses, "failed verify", config.failedVerifyLimit, tenants.settings),
    selfRevokes: createSelfRevokeLimits(addresses, config.selfRevokeLimit),
  };
}
