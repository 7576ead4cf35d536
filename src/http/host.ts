import { inAnyRange } from "../core/range-list.ts";
import { peerAddress } from "./client-address.ts";
import { headerOf, type RequestHead } from "./message.ts";

/**
 * Returns the host of a request in lower case and without its port: from X-Forwarded-Host if the peer is a trusted proxy that sent one,
 * otherwise from `:authority` or Host. Empty if there is none.
 */
export function hostOf(request: RequestHead, trustedProxies: readonly string[]): string {
  const own = headerOf(request, ":authority") ?? headerOf(request, "host") ?? "";
  const forwarded = trustedProxies.length === 0 ? undefined : headerOf(request, "x-forwarded-host");
  const isTrusted = forwarded !== undefined && inAnyRange(peerAddress(request), trustedProxies);
  // With several proxies, the value of the nearest one was added last.
  const host = isTrusted ? (forwarded.split(",").at(-1) ?? "") : own;
  return nameOf(host.trim()).replace(/\.$/, "");
}

/** Returns whether two values of Host or `:authority` name the same host. Ports do not count. */
export function isSameHost(one: string, other: string): boolean {
  return one === other || nameOf(one) === nameOf(other);
}

function nameOf(host: string): string {
  return host.toLowerCase().replace(/:\d*$/, "");
}
