import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { jsonErrorOffset } from "../../src/protojson/json-position.ts";
import { runCount } from "../support/run-count.ts";

describe("jsonErrorOffset", () => {
  test.each<[string, number | undefined]>([
    ["{}", undefined],
    [' [1, -0.5e+3, "a\\u00e9\\n", true, null, {"a": []}] ', undefined],
    ["", 0],
    ["  ", 2],
    ["{", 1],
    ['{"a"', 4],
    ['{"a":', 5],
    ['{"a":1,}', 7],
    ["[1,]", 3],
    ["[1 2]", 3],
    ["[}", 1],
    ["{]", 1],
    ["01", 1],
    ["1.", 1],
    ["-", 0],
    ["nul", 0],
    ['"a\nb"', 2],
    ['"a\\x"', 2],
    ['"\\u12g4"', 1],
    ['"a', 2],
    ["{} x", 3],
    ["{a:1}", 1],
    ["\ufeff{}", 0],
  ])("%j", (text, offset) => {
    expect(jsonErrorOffset(text)).toBe(offset);
  });

  test("agrees with JSON.parse on whether a text is JSON", () => {
    const piece = fc.constantFrom(...'{}[]:,"\\ \n0123456789.eE+-truefalsn\u0000é'.split(""), '"a"', "null", '{"a":', "1", "[", "\\u00e9");
    const mutated = fc.tuple(fc.json(), fc.nat(), piece).map(([json, at, text]) => {
      const offset = at % (json.length + 1);
      return json.slice(0, offset) + text + json.slice(offset + (at % 2));
    });
    fc.assert(
      fc.property(
        fc.oneof(
          mutated,
          fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join("")),
        ),
        (text) => {
          let isJson = true;
          try {
            JSON.parse(text);
          } catch {
            isJson = false;
          }
          expect(jsonErrorOffset(text) === undefined).toBe(isJson);
        },
      ),
      { numRuns: runCount(1000) },
    );
  });

  test("long and deep texts do not use the stack", () => {
    expect(jsonErrorOffset("[".repeat(1_000_000))).toBe(1_000_000);
    expect(jsonErrorOffset(`"${"a".repeat(1_000_000)}`)).toBe(1_000_001);
  });
});
