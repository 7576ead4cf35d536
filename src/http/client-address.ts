import { type Address, formatAddress, parseAddress } from "../core/address.ts";
import { inAnyRange } from "../core/range-list.ts";
import { headerOf, type RequestHead } from "./message.ts";

const ipv4Hop = /^([\d.]+)(?::(\d{1,5}))?$/;
const ipv6Hop = /^\[([\da-f.]*:[\da-f:.]*)\](?::(\d{1,5}))?$/i;
const maxPort = 65_535;

/**
 * Returns the client's address in canonical form: the peer's, or, while that is a trusted proxy, the next one of X-Forwarded-For from right
 * to left. A client can write anything at the left end, so the first address that no trusted proxy has is the client's. Returns "" if the
 * address is unknown: the connection is gone, or a trusted proxy sent a hop that is not an address. The proxy itself is then not used as
 * the client.
 */
export function clientAddress(request: RequestHead, trustedProxies: readonly string[]): string {
  const address = walk(request, trustedProxies);
  return address === null ? "" : formatAddress(address);
}

function walk(request: RequestHead, trustedProxies: readonly string[]): Address | null {
  let address = peerAddress(request);
  if (trustedProxies.length === 0) return address;
  // Several lines of the header are one list (RFC 9110, section 5.3).
  const hops = headerOf(request, "x-forwarded-for")?.split(",") ?? [];
  while (inAnyRange(address, trustedProxies)) {
    const hop = hops.pop();
    if (hop === undefined) break;
    address = parseHop(hop.trim());
  }
  return address;
}

/** The address at the other end of the connection. */
export function peerAddress({ socket }: RequestHead): Address | null {
  return parseRemoteAddress(socket?.remoteAddress ?? "");
}

/** The address of a peer, as sockets report it. Node adds the zone to link-local addresses. */
export function parseRemoteAddress(remoteAddress: string): Address | null {
  return parseAddress(remoteAddress.replace(/%.*$/, ""));
}

/** `192.0.2.1`, `2001:db8::1`, and with the client's port, as some load balancers write them: `192.0.2.1:4242`, `[2001:db8::1]:4242`. */
function parseHop(hop: string): Address | null {
  const [, text = hop, port = "0"] = ipv4Hop.exec(hop) ?? ipv6Hop.exec(hop) ?? [];
  return Number(port) > maxPort ? null : parseAddress(text);
}
