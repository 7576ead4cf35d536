import type { LimitsOptions } from "../../src/service/limits.ts";

/** For verifications without limits. */
export const noLimits: Pick<LimitsOptions, "rateLimiter" | "guesses"> = {
  rateLimiter: { take: () => ({ admitted: true, remaining: 0n, resetAfterMs: 0, retryAfterMs: 0 }) },
  guesses: { take: () => null, look: () => null },
};
