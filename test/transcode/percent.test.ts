import { expect, test } from "vitest";
import { decodeQueryPart, decodeSegment, decodeSegments } from "../../src/transcode/percent.ts";

test.each<[string, string | undefined, string | undefined, string | undefined]>([
  ["a", "a", "a", "a"],
  ["", "", "", ""],
  ["%41", "A", "A", "A"],
  ["a%2Fb%2fc", "a/b/c", "a%2Fb%2fc", "a/b/c"],
  ["%252F", "%2F", "%2F", "%2F"],
  ["%2", undefined, undefined, undefined],
  ["%2G", undefined, undefined, undefined],
  ["%", undefined, undefined, undefined],
  ["%80", undefined, undefined, undefined],
  ["%C3%A9", "é", "é", "é"],
  ["%C3", undefined, undefined, undefined],
  ["\u00c3\u00a9", undefined, undefined, undefined],
  ["a+b%2B", "a+b+", "a+b+", "a b+"],
  ["%00", "\0", "\0", "\0"],
])("%j", (raw, segment, segments, queryPart) => {
  expect([decodeSegment(raw), decodeSegments(raw), decodeQueryPart(raw)]).toEqual([segment, segments, queryPart]);
});
