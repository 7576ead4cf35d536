import type { Call } from "../call/call.ts";
import { Failure } from "../error/failure.ts";
import type { KeyLimit, Verified } from "../service/judge.ts";

/** The largest integer of structured fields (RFC 9651). */
const maxInteger = 999_999_999_999_999n;

/**
 * The key's limit as response headers (draft-ietf-httpapi-ratelimit-headers-10), for a gateway to pass on, and Retry-After if a limit was
 * reached. Every protocol sends them as leading metadata. There is no partition key, because it would name the key. A batch has no such
 * headers, because it is about many keys.
 */
export function setRateLimitHeaders(call: Pick<Call, "setResponseHeader">, { limit, actorLimit, retryAfterMs }: Verified): void {
  if (actorLimit !== undefined) {
    const both = [...(limit === undefined ? [] : [headersOf("key", limit)]), headersOf("actor", actorLimit)];
    call.setResponseHeader("ratelimit-policy", both.map(({ policy }) => policy).join(", "));
    call.setResponseHeader("ratelimit", both.map(({ left }) => left).join(", "));
  } else if (limit !== undefined) {
    const { policy, left } = headersOf("key", limit);
    call.setResponseHeader("ratelimit-policy", policy);
    call.setResponseHeader("ratelimit", left);
  }
  if (typeof retryAfterMs === "number") setRetryAfter(call, retryAfterMs);
}

function setRetryAfter(call: Pick<Call, "setResponseHeader">, retryAfterMs: number): void {
  call.setResponseHeader("retry-after", String(wholeSeconds(retryAfterMs)));
}

/** Throws TOO_MANY_CALLS with Retry-After. Does nothing if there is no need to wait. */
export function refuseFor(call: Pick<Call, "setResponseHeader">, retryAfterMs: number | null, message?: string): void {
  if (retryAfterMs !== null) refuseNow(call, retryAfterMs, message);
}

/** Throws TOO_MANY_CALLS with Retry-After. */
export function refuseNow(call: Pick<Call, "setResponseHeader">, retryAfterMs: number, message?: string): never {
  setRetryAfter(call, retryAfterMs);
  throw new Failure("TOO_MANY_CALLS", message === undefined ? {} : { message });
}

function headersOf(name: string, { policy, remaining, resetAfterMs }: KeyLimit) {
  return {
    policy: `"${name}";q=${atMost(policy.quota)};w=${wholeSeconds(policy.windowMs)}`,
    left: `"${name}";r=${atMost(remaining)};t=${wholeSeconds(resetAfterMs)}`,
  };
}

function atMost(units: bigint): bigint {
  return units < maxInteger ? units : maxInteger;
}

/** Rounded up. */
function wholeSeconds(spanMs: number): number {
  return Math.ceil(spanMs / 1000);
}
