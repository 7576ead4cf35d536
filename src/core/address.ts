/** An IP address as unsigned 32-bit words: one for IPv4, four for IPv6. An IPv4 address mapped into IPv6 (`::ffff:10.0.0.1`) is IPv4. */
export type Address = readonly number[];

/** Length of the longest text of an address: IPv6 with all its digits and an IPv4 address at the end. */
export const maxAddressChars = 45;

const octet = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const dottedQuad = new RegExp(`^${octet}\\.${octet}\\.${octet}\\.${octet}$`);
const groupList = /^[\da-f]{1,4}(?::[\da-f]{1,4})*$/i;
const ipv6Groups = 8;

/**
 * Reads an IPv4 address of four decimal numbers, or an IPv6 address (RFC 4291) without a zone. Returns null for any other text, such as
 * `10.1`, `010.0.0.1`, `0x0a000001`, `167772161` and `fe80::1%eth0`, because programs read them in different ways.
 */
export function parseAddress(text: string): Address | null {
  if (text.length > maxAddressChars) return null;
  if (!text.includes(":")) {
    const word = ipv4Word(text);
    return word === null ? null : [word];
  }
  const words = ipv6Words(text);
  return words !== null && isMapped(words) ? words.slice(3) : words;
}

/** Reports whether the words are in `::ffff:0:0/96`, the range of mapped IPv4 addresses. */
function isMapped(words: Address): boolean {
  return words[0] === 0 && words[1] === 0 && words[2] === 0xffff;
}

/** The canonical text of an address: dotted decimal, or RFC 5952 for IPv6. At most 39 characters. */
export function formatAddress(address: Address): string {
  if (address.length === 1) return octetsOf(address[0] as number).join(".");
  const groups = address.flatMap((word) => [word >>> 16, word & 0xffff]);
  const { start, length } = longestZeroRun(groups);
  const texts = groups.map((group) => group.toString(16));
  if (length < 2) return texts.join(":");
  return `${texts.slice(0, start).join(":")}::${texts.slice(start + length).join(":")}`;
}

/** The four words of an IPv6 address, mapped or not. Null if the text is not one. */
function ipv6Words(text: string): Address | null {
  const hex = withoutDottedQuad(text);
  const [head = "", tail, ...more] = hex?.split("::") ?? [];
  if (hex === null || more.length > 0) return null;
  const before = groupsOf(head);
  const after = groupsOf(tail ?? "");
  if (before === null || after === null) return null;
  const missing = ipv6Groups - before.length - after.length;
  // `::` replaces at least one group.
  if (tail === undefined ? missing !== 0 : missing < 1) return null;
  const words = [0, 0, 0, 0];
  for (const [index, group] of before.entries()) setGroup(words, index, group);
  for (const [index, group] of after.entries()) setGroup(words, before.length + missing + index, group);
  return words;
}

/** The groups on one side of `::`. Null if one of them is not 1 to 4 hex digits. */
function groupsOf(text: string): string[] | null {
  if (text === "") return [];
  return groupList.test(text) ? text.split(":") : null;
}

function setGroup(words: number[], index: number, group: string): void {
  const value = Number.parseInt(group, 16);
  const at = index >> 1;
  words[at] = ((words[at] as number) | (index % 2 === 0 ? value << 16 : value)) >>> 0;
}

/** The text with a dotted quad at its end replaced by two groups of hex. Null if the quad is invalid. */
function withoutDottedQuad(text: string): string | null {
  if (!text.includes(".")) return text;
  const quadAt = text.lastIndexOf(":") + 1;
  const word = ipv4Word(text.slice(quadAt));
  return word === null ? null : `${text.slice(0, quadAt)}${(word >>> 16).toString(16)}:${(word & 0xffff).toString(16)}`;
}

function ipv4Word(text: string): number | null {
  const match = dottedQuad.exec(text);
  if (match === null) return null;
  return ((Number(match[1]) << 24) | (Number(match[2]) << 16) | (Number(match[3]) << 8) | Number(match[4])) >>> 0;
}

function octetsOf(word: number): number[] {
  return [word >>> 24, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff];
}

/** The longest run of zeros. The first one, if several are equally long. */
function longestZeroRun(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let longest = { start: 0, length: 0 };
  let start = 0;
  for (const [index, group] of groups.entries()) {
    if (group !== 0) start = index + 1;
    else if (index + 1 - start > longest.length) longest = { start, length: index + 1 - start };
  }
  return longest;
}
