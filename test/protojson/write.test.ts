import { create, type DescMessage, fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { timestampText } from "../../src/protojson/timestamp.ts";
import { writeJson } from "../../src/protojson/write.ts";
import { schemas } from "../protobinary/schemas.ts";
import { runCount } from "../support/run-count.ts";
import { jsonOf, specialJson } from "./json-of.ts";
import { Everything } from "./sample.ts";

/** The JSON that protobuf-es writes, with empty lists, maps and page tokens added. */
function completed(schema: DescMessage, given: JsonValue): JsonValue {
  if (specialJson[schema.typeName] !== undefined) return given;
  const members = given as { [name: string]: JsonValue };
  const complete: [string, JsonValue][] = [];
  for (const field of [...schema.fields].sort((a, b) => a.number - b.number)) {
    const empty = field.fieldKind === "list" ? [] : field.fieldKind === "map" ? {} : field.name === "next_page_token" ? "" : undefined;
    const value = Object.hasOwn(members, field.name) ? members[field.name] : empty;
    if (value === undefined) continue;
    const { message } = field;
    const inner = (item: JsonValue): JsonValue => (message === undefined ? item : completed(message, item));
    if (field.fieldKind === "list") complete.push([field.name, (value as JsonValue[]).map(inner)]);
    else if (field.fieldKind === "map") {
      complete.push([field.name, Object.fromEntries(Object.entries(value as object).map(([key, item]) => [key, inner(item)]))]);
    } else complete.push([field.name, inner(value)]);
  }
  return Object.fromEntries(complete);
}

describe("writeJson", () => {
  test.each(schemas.map((schema) => [schema.name, schema] as const))(
    "%s: writes the same as protobuf-es, and every list",
    (_name, schema) => {
      fc.assert(
        fc.property(jsonOf(schema, 2), (given) => {
          const message = fromJson(schema, given);
          const native = toJson(schema, message, { useProtoFieldName: true });
          expect(writeJson(schema, message)).toBe(JSON.stringify(completed(schema, native)));
        }),
        { numRuns: runCount(schema === Everything ? 100 : 20) },
      );
    },
  );

  test("values of the wrong type are refused", () => {
    for (const wrong of [
      { text: 1 },
      { text: null },
      { flag: "x" },
      { bigInt: 1.5 },
      { smallInt: "1" },
      { color: "RED" },
      { tags: { a: NaN } },
    ]) {
      expect(() => writeJson(Everything, Object.assign(create(Everything), wrong))).toThrow(/expected|cannot be NaN/);
    }
    expect(() => writeJson(AnySchema, create(AnySchema, { typeUrl: "x/y" }))).toThrow();
  });
});

test("timestampText writes the same as Date, for all years", () => {
  fc.assert(
    fc.property(fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }), (seconds) => {
      expect(timestampText(seconds, 0)).toBe(new Date(seconds * 1000).toISOString().replace(".000Z", "Z"));
    }),
    { numRuns: 5000 },
  );
  expect(timestampText(-62_135_596_800, 0)).toBe("0001-01-01T00:00:00Z");
  expect(timestampText(951_782_400, 1)).toBe("2000-02-29T00:00:00.000000001Z");
  for (const [seconds, nanos] of [
    [-62_135_596_801, 0],
    [253_402_300_800, 0],
    [0, -1],
    [0, 1e9],
    [NaN, 0],
  ] as const) {
    expect(() => timestampText(seconds, nanos)).toThrow(); // biome-ignore format: a table
  }
});
