import { create, type DescMessage, fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { AnySchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { timestampText } from "../../src/protojson/timestamp.ts";
import { writeJson } from "../../src/protojson/write.ts";
import { runCount } from "../support/run-count.ts";
import { Everything } from "./sample.ts";

/** JSON that any message of the schema may have, in protobuf JSON. */
function jsonOf(schema: DescMessage, depth: number): fc.Arbitrary<JsonValue> {
  const special = specialJson[schema.typeName];
  if (special !== undefined) return special;
  const members: Record<string, fc.Arbitrary<JsonValue>> = {};
  const oneofs = new Set<string>();
  for (const field of schema.fields) {
    if (field.message !== undefined && specialJson[field.message.typeName] === undefined && depth === 0) continue;
    if (field.oneof !== undefined && oneofs.has(field.oneof.name)) continue;
    if (field.oneof !== undefined) oneofs.add(field.oneof.name);
    const value =
      field.message !== undefined
        ? jsonOf(field.message, depth - 1)
        : field.enum !== undefined
          ? fc.constantFrom<JsonValue>(...field.enum.values.map((v) => v.number), 99)
          : scalarJson(String(field.scalar));
    if (field.fieldKind === "list") members[field.name] = fc.array(value, { maxLength: 3 });
    else if (field.fieldKind === "map") {
      const key =
        field.mapKey === 9
          ? fc.constantFrom("a", "__proto__", "")
          : field.mapKey === 8
            ? fc.constantFrom("true", "false")
            : fc.constantFrom("1", "-2");
      members[field.name] = fc
        .uniqueArray(key, { maxLength: 2 })
        .chain((keys) =>
          fc.tuple(...keys.map(() => value)).map((values) => Object.fromEntries(keys.map((k, i) => [k, values[i] as JsonValue]))),
        );
    } else members[field.name] = value;
  }
  return fc.record(members, { requiredKeys: [] }) as fc.Arbitrary<JsonValue>;
}

function scalarJson(scalar: string): fc.Arbitrary<JsonValue> {
  const byType: Record<string, fc.Arbitrary<JsonValue>> = {
    1: fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom("NaN", "Infinity", "-Infinity", -0, 0, 1e21)),
    2: fc.float({ noNaN: true, noDefaultInfinity: true }),
    3: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
    18: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
    4: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
    6: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
    8: fc.boolean(),
    9: fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("", '"\\\n\u2028', "é")).map((text) => text.toWellFormed()),
    12: fc.uint8Array({ maxLength: 5 }).map((bytes) => Buffer.from(bytes).toString("base64")),
    13: fc.nat(),
  };
  return byType[scalar] ?? fc.integer();
}

const timestamp = fc.tuple(fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }), fc.constantFrom(0, 1, 120_000_000, 1000, 999_999_999)).map(([seconds, nanos]) => toJson(TimestampSchema, create(TimestampSchema, { seconds: BigInt(seconds), nanos }))); // biome-ignore format: one value
const json = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as JsonValue);
const wrapped = (scalar: string) => scalarJson(scalar);
const specialJson: Record<string, fc.Arbitrary<JsonValue>> = {
  "google.protobuf.Timestamp": timestamp,
  "google.protobuf.Duration": fc.constantFrom("0s", "1.5s", "-0.000000001s", "315576000000s"),
  "google.protobuf.FieldMask": fc.constantFrom("", "a,bC.d"),
  "google.protobuf.Struct": fc.dictionary(fc.string(), json).map((value) => JSON.parse(JSON.stringify(value)) as JsonValue),
  "google.protobuf.Value": json,
  "google.protobuf.ListValue": fc.array(json, { maxLength: 3 }),
  "google.protobuf.StringValue": wrapped("9"),
  "google.protobuf.Int64Value": wrapped("3"),
  "google.protobuf.BoolValue": wrapped("8"),
  "google.protobuf.BytesValue": wrapped("12"),
};

/** What protobuf-es writes, with the lists, maps and page tokens that are empty. */
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
  const schemas = new Set([Everything, ...ApiKeysService.methods.flatMap((method) => [method.input, method.output] as DescMessage[])]);
  test.each([...schemas].map((schema) => [schema.name, schema] as const))(
    "%s: as protobuf-es writes it, and every list",
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

  test("values of other types than their fields' are refused", () => {
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

test("timestampText: as Date writes it, over all years", () => {
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
