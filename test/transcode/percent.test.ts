import { expect, test } from "vitest";
import { decodeQueryPart, decodeSegment, decodeSegments, withPlainVerb } from "../../src/transcode/percent.ts";

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

test.each([
  ["/keys/ID%3Arotate", "/keys/ID:rotate"],
  ["/keys/ID%3arotate", "/keys/ID:rotate"],
  ["/keys/a%3Ab%3Arotate", "/keys/a%3Ab:rotate"],
  ["/keys/ID%3Aro%74ate", "/keys/ID%3Aro%74ate"],
  ["/keys%3Aa/ID", "/keys%3Aa/ID"],
  ["/keys/a%3Ab:rotate", "/keys/a%3Ab:rotate"],
])("in %s only an encoded colon before the verb becomes plain", (path, plain) => {
  expect(withPlainVerb(path)).toBe(plain);
});
