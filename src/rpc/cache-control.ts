import type { CacheDirective, CacheOutcome } from "../cache/reading.ts";
import type { Call } from "../call/call.ts";

/**
 * What the request's Cache-Control and Pragma ask of the verifier cache: a comma list, any case, unknown directives ignored (RFC 9111).
 * `no-store` wins over `no-cache`, because it asks for more.
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

/** Says in Cache-Status (RFC 9211) how the answer came about; nothing where no look-up was needed. */
export function setCacheStatus(call: Pick<Call, "setResponseHeader">, outcome: CacheOutcome | null): void {
  if (outcome !== null) call.setResponseHeader("cache-status", cacheStatuses[outcome]);
}

function namesIn(header: string): string[] {
  return header.split(",").map((directive) => directive.split("=", 1)[0]?.trim().toLowerCase() ?? "");
}
