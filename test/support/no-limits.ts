import type { ActorLimits } from "../../src/service/actor-limits.ts";
import type { LimitsOptions } from "../../src/service/limits.ts";

const admitted = { admitted: true, remaining: 0n, resetAfterMs: 0, retryAfterMs: 0 };

/** For verifications without any limit. */
export const noLimits: Pick<LimitsOptions, "rateLimiter" | "guesses"> & { readonly actorLimits: ActorLimits } = {
  rateLimiter: { take: () => admitted, takeAll: (_tenant, limits) => limits.map(() => admitted) },
  actorLimits: { of: () => null, readMissing: () => undefined },
  guesses: { take: () => null, look: () => null },
};
