import type { SharedRateLimiter } from "../ports/rate-limiter.ts";
import type { Observe } from "./observe.ts";

/** The shared limit, with each question observed as `limit`. */
export function observedRateLimiter(limiter: SharedRateLimiter, observe: Observe): SharedRateLimiter {
  return {
    get serverId() {
      return limiter.serverId;
    },
    take: (...given) =>
      observe(
        "limit",
        () => limiter.take(...given),
        (answer) => answer === null,
      ),
  };
}
