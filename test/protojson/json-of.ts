import { create, type DescMessage, type JsonValue, toJson } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";

/** Any JSON that a message of the schema may have, in protobuf JSON. */
export function jsonOf(schema: DescMessage, depth: number): fc.Arbitrary<JsonValue> {
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
export const specialJson: Record<string, fc.Arbitrary<JsonValue>> = {
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
