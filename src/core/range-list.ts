import type { Address } from "./address.ts";
import { parseRange, prefixMask } from "./cidr.ts";

/** Ranges in a form that is quick to search and small to keep: each one as the words of its network, then those of its mask. */
interface CompiledRanges {
  /** Of both kinds; fewer than there are texts if some of these are no ranges. */
  readonly count: number;
  readonly ipv4: Uint32Array;
  readonly ipv6: Uint32Array;
}

/**
 * The compiled form of each list, for as long as the list itself is in memory: that of a cached key is parsed once, not at each verification.
 * Some 8 bytes an IPv4 range and 32 an IPv6 range, fewer than its text has.
 */
const compiledLists = new WeakMap<readonly string[], CompiledRanges>();

/** Whether the address lies in one of the ranges. An unknown address lies in none, and a text that is no range holds no address. */
export function inAnyRange(address: Address | null, ranges: readonly string[]): boolean {
  if (address === null) return false;
  const compiled = compiledOf(ranges);
  const words = address.length === 1 ? compiled.ipv4 : compiled.ipv6;
  for (let start = 0; start < words.length; start += 2 * address.length) {
    if (holds(words, start, address)) return true;
  }
  return false;
}

/** Whether each of the texts is a range. */
export function areRanges(texts: readonly string[]): boolean {
  return compiledOf(texts).count === texts.length;
}

function holds(words: Uint32Array, start: number, address: Address): boolean {
  const { length } = address;
  for (let index = 0; index < length; index += 1) {
    const network = words[start + index] as number;
    const mask = words[start + length + index] as number;
    if ((((address[index] as number) ^ network) & mask) !== 0) return false;
  }
  return true;
}

function compiledOf(texts: readonly string[]): CompiledRanges {
  let compiled = compiledLists.get(texts);
  if (compiled === undefined) {
    compiled = compile(texts);
    compiledLists.set(texts, compiled);
  }
  return compiled;
}

function compile(texts: readonly string[]): CompiledRanges {
  const ranges = texts.map(parseRange).filter((range) => typeof range !== "string");
  const wordsOf = (wordCount: number) =>
    Uint32Array.from(
      ranges
        .filter(({ network }) => network.length === wordCount)
        .flatMap(({ network, prefixLength }) => [...network, ...network.map((_, index) => prefixMask(prefixLength, index))]),
    );
  return { count: ranges.length, ipv4: wordsOf(1), ipv6: wordsOf(4) };
}
