import ipaddr from "ipaddr.js";
import { headerOf, type RequestHead } from "./message.ts";

/** A parsed CIDR range, as ipaddr.js has it. */
export type Cidr = [ipaddr.IPv4 | ipaddr.IPv6, number];

/**
 * The client's address: the peer's, or, while the peer is a trusted proxy, the next one of X-Forwarded-For from right to left. A caller
 * can write whatever it likes at the left end, so the first address that is not a trusted proxy's is the one to believe. What is no
 * address ends the walk at the proxy that sent it.
 */
export function clientAddress(request: RequestHead, trustedProxies: readonly Cidr[]): string {
  let address = canonicalAddress(request.socket?.remoteAddress ?? "");
  if (trustedProxies.length === 0) return address;
  const hops = (headerOf(request, "x-forwarded-for") ?? "").split(",");
  while (isTrusted(address, trustedProxies)) {
    const next = canonicalAddress(hops.pop()?.trim() ?? "");
    if (next === "") break;
    address = next;
  }
  return address;
}

/** IPv4 addresses mapped into IPv6 as IPv4, everything in its usual notation, and "" for what is no address. */
export function canonicalAddress(text: string): string {
  return ipaddr.isValid(text) ? ipaddr.process(text).toString() : "";
}

/** Whether an address in its canonical form is that of a trusted proxy. */
export function isTrusted(address: string, trustedProxies: readonly Cidr[]): boolean {
  if (address === "") return false;
  const parsed = ipaddr.parse(address);
  return trustedProxies.some((range) => range[0].kind() === parsed.kind() && parsed.match(range));
}
