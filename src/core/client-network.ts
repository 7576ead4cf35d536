import { type Address, formatAddress } from "./address.ts";

/**
 * The network that one client usually has: an IPv4 address, or the first four groups (the /64) of an IPv6 address. At most 19 characters.
 *
 * An address in 64:ff9b::/96 is that of an IPv4 client behind a translator to IPv6 (RFC 6052). All of IPv4 is in this one /64.
 */
export function clientNetwork(address: Address): string {
  const [first, second, third] = address;
  if (first === 0x0064_ff9b && second === 0 && third === 0) return formatAddress(address.slice(3));
  if (address.length === 1) return formatAddress(address);
  return address
    .slice(0, 2)
    .flatMap((word) => [word >>> 16, word & 0xffff])
    .map((group) => group.toString(16))
    .join(":");
}
