import type { Address } from "./address.ts";
import { parseRange, prefixMask } from "./cidr.ts";

/** Ranges in a form that is fast to search and small: for each range the words of its network and then those of its mask. */
interface CompiledRanges {
  /** Number of ranges of both kinds. Less than the number of texts if some of the texts are not ranges. */
  readonly count: number;
  readonly ipv4: Uint32Array;
  readonly ipv6: Uint32Array;
}

/**
 * The compiled form of each list, kept as long as the list itself. So the ranges of a cached key are parsed once, not in each verification.
 * An IPv4 range takes some 8 bytes and an IPv6 range 32, less than its text.
 */
const compiledLists = new WeakMap<readonly string[], CompiledRanges>();

/**
 * Reports whether the address is in one of the ranges. An unknown address is in none, and a text that is not a range contains no address.
 */
export function inAnyRange(address: Address | null, ranges: readonly string[]): boolean {
  if (address === null) return false;
  const compiled = compiledOf(ranges);
  const words = address.length === 1 ? compiled.ipv4 : compiled.ipv6;
  for (let start = 0; start < words.length; start += 2 * address.length) {
    if (holds(words, start, address)) return true;
  }
  return false;
}

/** Reports whether every text is a range. */
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
