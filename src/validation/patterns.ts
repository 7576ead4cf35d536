import { memoized } from "../memoized.ts";

/**
 * Matches the patterns of the contract for protovalidate, with the engine of the platform: the RE2 in JavaScript takes many times as long
 * (see bench/micro.ts). The engine of the platform can take exponential time on some patterns. A test checks that the contract has no such
 * pattern.
 */
export function createPatternMatcher(): (pattern: string, text: string) => boolean {
  const compile = memoized((pattern: string) => new RegExp(pattern, "u"));
  return (pattern, text) => compile(pattern).test(text);
}
