import { type LookupAddress, lookup } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import ipaddr from "ipaddr.js";

/**
 * Returns whether an address is on the public internet: not private, loopback, link-local (where clouds serve credentials), multicast or
 * the like.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  const bytes = parsed.toByteArray();
  // In networks without IPv4, DNS64 gives this address for a name that has an IPv4 address only (RFC 6052, section 2.1).
  const isTranslated = parsed.range() === "rfc6052" && bytes.slice(4, 12).every((byte) => byte === 0);
  return (isTranslated ? ipaddr.fromByteArray(bytes.slice(12)) : parsed).range() === "unicast";
}

/** Returns whether a URL's host is an address literal that is not public. Connecting to one needs no look-up. */
export function isPrivateLiteral({ hostname }: URL): boolean {
  const address = hostname.replace(/^\[|\]$/g, "");
  return isIP(address) !== 0 && !isPublicAddress(address);
}

/** Returns whether a URL's host can only be this machine. */
export function isLoopback({ hostname }: URL): boolean {
  const address = hostname.replace(/^\[|\]$/g, "");
  return hostname === "localhost" || (ipaddr.isValid(address) && ipaddr.process(address).range() === "loopback");
}

/**
 * A look-up for sockets that fails if one of the addresses is not public. The socket connects to the addresses that were checked here, so a
 * name that resolves to something else a moment later gains nothing.
 */
export const lookupPublic: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    const [first] = addresses ?? [];
    if (error !== null || first === undefined) callback(error ?? new Error("no address"), []);
    else if (!addresses.every(({ address }) => isPublicAddress(address))) callback(new Error(privateAddress), []);
    else if (options.all === true) callback(null, addresses);
    else callback(null, first.address, first.family);
  });
};

export const privateAddress = "its host is a private, loopback or link-local address";
