import type { CacheDirective, CacheOutcome } from "../cache/reading.ts";
import type { Call } from "../call/call.ts";

/**
 * Reads from Cache-Control and Pragma how to use the verifier cache. Directives are comma-separated, in any case; unknown ones are ignored
 * (RFC 9111). `no-store` takes precedence over `no-cache`, because it is stricter.
 */
export function cacheDirectiveOf(call: Pick<Call, "requestHeader">): CacheDirective {
  const cacheControl = call.requestHeader("cache-control");
  const pragma = call.requestHeader("pragma");
  if (cacheControl === undefined && pragma === undefined) return "none";
  const directives = namesIn(cacheControl ?? "");
  if (directives.includes("no-store")) return "no-store";
  return directives.includes("no-cache") || namesIn(pragma ?? "").includes("no-cache") ? "no-cache" : "none";
}

const cacheStatuses = {
  hit: "keywright; hit",
  miss: "keywright; fwd=miss",
  bypass: "keywright; fwd=bypass",
} as const satisfies Record<CacheOutcome, string>;

/** Reports in Cache-Status (RFC 9211) the source of the result. Sets nothing if no look-up was needed. */
export function setCacheStatus(call: Pick<Call, "setResponseHeader">, outcome: CacheOutcome | null): void {
  if (outcome !== null) call.setResponseHeader("cache-status", cacheStatuses[outcome]);
}

function namesIn(header: string): string[] {
  return header.split(",").map((directive) => directive.split("=", 1)[0]?.trim().toLowerCase() ?? "");
}
