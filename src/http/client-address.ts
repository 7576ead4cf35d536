import { type Address, formatAddress, parseAddress } from "../core/address.ts";
import { clientNetwork } from "../core/client-network.ts";
import { inAnyRange } from "../core/range-list.ts";
import { headerOf, type RequestHead } from "./message.ts";

const ipv4Hop = /^([\d.]+)(?::(\d{1,5}))?$/;
const ipv6Hop = /^\[([\da-f.]*:[\da-f:.]*)\](?::(\d{1,5}))?$/i;
const maxPort = 65_535;

/**
 * Returns the client's address in canonical form. This is the peer's address, or, while that is a trusted proxy, the next one of
 * X-Forwarded-For from right to left. A client can write anything at the left end, so the client's address is the first one that is not a
 * trusted proxy. Returns "" if the address is unknown: the connection is closed, or a trusted proxy sent a hop that is not an address, or
 * no header over HTTP/2. The proxy itself is then not used as the client.
 */
export function clientAddress(request: RequestHead, trustedProxies: readonly string[]): string {
  const address = walk(request, trustedProxies);
  return address === null ? "" : formatAddress(address);
}

/**
 * Returns the address that guesses are counted by: the client's, or the peer's if that is unknown. Callers that are listed as proxies by
 * mistake, in a range, would else share one count. It says nothing about the end user, so nothing may be granted by it.
 */
export function guessAddress(request: RequestHead, client: string): string {
  if (client !== "") return client;
  const peer = peerAddress(request);
  return peer === null ? "" : formatAddress(peer);
}

/** Returns the network of the client, or of the peer if the client is unknown. Empty if the connection is closed. */
export function networkOfClient(request: RequestHead, trustedProxies: readonly string[]): string {
  const address = walk(request, trustedProxies) ?? peerAddress(request);
  return address === null ? "" : clientNetwork(address);
}

function walk(request: RequestHead, trustedProxies: readonly string[]): Address | null {
  const address = peerAddress(request);
  if (trustedProxies.length === 0) return address;
  const forwardedFor = headerOf(request, "x-forwarded-for");
  // Over HTTP/2 Node drops a header that has a forbidden character, so this proxy may have sent one. HTTP/1.1 refuses the request.
  if (forwardedFor === undefined && request.stream !== undefined && inAnyRange(address, trustedProxies)) return null;
  return behindProxies(address, forwardedFor, trustedProxies);
}

/**
 * Returns the client's address as stated by a trusted proxy in X-Forwarded-For, in canonical form. Empty if the peer is not a trusted proxy
 * or states no address; then it is unknown to whom the peer's address belongs.
 */
export function forwardedAddress(request: RequestHead, trustedProxies: readonly string[]): string {
  const peer = peerAddress(request);
  return inAnyRange(peer, trustedProxies) ? endUserAddress(peer, headerOf(request, "x-forwarded-for"), trustedProxies) : "";
}

/**
 * Returns the address from which an end user reaches a gateway. Empty if it is unknown: the gateway's peer is a trusted proxy that states
 * none.
 */
export function endUserAddress(peer: Address | null, forwardedFor: string | undefined, trustedProxies: readonly string[]): string {
  if (forwardedFor === undefined && inAnyRange(peer, trustedProxies)) return "";
  const address = behindProxies(peer, forwardedFor, trustedProxies);
  return address === null ? "" : formatAddress(address);
}

/**
 * Returns the first address that is not a trusted proxy: that of the peer, or else from X-Forwarded-For from right to left. Several lines
 * of the header are one list (RFC 9110, section 5.3).
 */
function behindProxies(peer: Address | null, forwardedFor: string | undefined, trustedProxies: readonly string[]): Address | null {
  const hops = forwardedFor?.split(",") ?? [];
  let address = peer;
  while (inAnyRange(address, trustedProxies)) {
    const hop = hops.pop();
    if (hop === undefined) break;
    address = parseHop(hop.trim());
  }
  return address;
}

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
