import { type Address, formatAddress } from "./address.ts";

/**
 * The network that one client usually has: an IPv4 address, or the first four groups (the /64) of an IPv6 address. At most 19 characters.
 */
export function clientNetwork(address: Address): string {
  if (address.length === 1) return formatAddress(address);
  return address
    .slice(0, 2)
    .flatMap((word) => [word >>> 16, word & 0xffff])
    .map((group) => group.toString(16))
    .join(":");
}
