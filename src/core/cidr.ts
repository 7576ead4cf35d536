import { type Address, formatAddress, maxAddressChars, parseAddress } from "./address.ts";

/** A range of addresses with a common prefix. */
export interface Range {
  /** The first address. */
  readonly network: Address;
  /** 0 to 32 for IPv4, 0 to 128 for IPv6. */
  readonly prefixLength: number;
}

/** Length of the longest text of a range. */
const maxRangeChars = maxAddressChars + "/128".length;

const expected = "must be a range in CIDR notation such as 10.0.0.0/8 or 2001:db8::/32";
const rangeShape = /^([^/]+)\/(0|[1-9]\d{0,2})$/;
/** `::ffff:0:0/96` is all of IPv4. */
const mappedPrefix = 96;

/**
 * Parses a range in CIDR notation. `::ffff:10.0.0.0/104` is the IPv4 range 10.0.0.0/8. For any other text, returns what is wrong with it
 * and what to write instead. An address without a prefix is refused, and so are bits set beyond the prefix: both may mean one address or
 * its network.
 */
export function parseRange(text: string): Range | string {
  if (text.length > maxRangeChars) return expected;
  const [, addressText = text, prefixText] = rangeShape.exec(text) ?? [];
  const address = parseAddress(addressText);
  if (address === null) return expected;
  if (prefixText === undefined)
    return `must be a range; to allow this one address, write "${formatRange(rangeOf(address, bitsOf(address)))}"`;
  const isMapped = address.length === 1 && addressText.includes(":");
  const prefixLength = Number(prefixText) - (isMapped ? mappedPrefix : 0);
  if (isMapped && prefixLength < 0) {
    const meant = rangeOf(address, Math.min(Number(prefixText), bitsOf(address)));
    return `must have a prefix from ${mappedPrefix} to 128 as an IPv4 range in IPv6 notation; write "${formatRange(meant)}"`;
  }
  if (prefixLength > bitsOf(address)) return expected;
  const range = rangeOf(address, prefixLength);
  if (range.network.every((word, index) => word === address[index])) return range;
  const one = formatRange(rangeOf(address, bitsOf(address)));
  return `must not have bits set beyond its prefix; write "${formatRange(range)}" for the network or "${one}" for the one address`;
}

export function formatRange({ network, prefixLength }: Range): string {
  return `${formatAddress(network)}/${prefixLength}`;
}

/** The bits of word `index` of an address that belong to the prefix. */
export function prefixMask(prefixLength: number, index: number): number {
  const bits = Math.min(32, Math.max(0, prefixLength - 32 * index));
  // Shifting by 32 shifts by 0.
  return bits === 0 ? 0 : (-1 << (32 - bits)) >>> 0;
}

function rangeOf(address: Address, prefixLength: number): Range {
  return { network: address.map((word, index) => (word & prefixMask(prefixLength, index)) >>> 0), prefixLength };
}

function bitsOf(address: Address): number {
  return 32 * address.length;
}
