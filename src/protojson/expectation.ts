import { type DescEnum, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";

const int32 = "an integer from -2147483648 to 2147483647";
const uint32 = "an integer from 0 to 4294967295";
const int64 = "an integer of 64 bits";
const uint64 = "an integer of 64 bits, not negative";

const scalars: Readonly<Record<ScalarType, string>> = {
  [ScalarType.STRING]: "a string",
  [ScalarType.BOOL]: "true or false",
  [ScalarType.BYTES]: "a base64 string",
  [ScalarType.DOUBLE]: "a number",
  [ScalarType.FLOAT]: "a number that fits 32 bits",
  [ScalarType.INT32]: int32,
  [ScalarType.SINT32]: int32,
  [ScalarType.SFIXED32]: int32,
  [ScalarType.UINT32]: uint32,
  [ScalarType.FIXED32]: uint32,
  [ScalarType.INT64]: int64,
  [ScalarType.SINT64]: int64,
  [ScalarType.SFIXED64]: int64,
  [ScalarType.UINT64]: uint64,
  [ScalarType.FIXED64]: uint64,
};

const messages: Readonly<Record<string, string>> = {
  "google.protobuf.Any": "cannot be given as JSON here",
  "google.protobuf.Timestamp": "must be an RFC 3339 timestamp",
  "google.protobuf.Duration": "must be a duration such as 3600s, 1h30m or 30d",
  "google.protobuf.FieldMask": "must be a string of field names separated by commas",
  "google.protobuf.ListValue": "must be a JSON array",
};

/** The expected JSON of a field, or of one item of it. Never repeats the value, which may be a secret. */
export function expectation(field: DescField, json: unknown): string {
  if (json === null) return "must not be null";
  if (field.enum !== undefined) return `must be one of ${namesOf(field.enum)}`;
  const scalar = field.message === undefined ? field.scalar : wrappedScalar(field.message);
  if (scalar !== undefined) return `must be ${scalarExpectation(scalar, json)}`;
  return messages[field.message?.typeName ?? ""] ?? "must be a JSON object";
}

/** Without the value that stands for a field that is not set. */
function namesOf({ values }: DescEnum): string {
  return values
    .filter(({ number, name }) => number !== 0 || !name.endsWith("_UNSPECIFIED"))
    .map(({ name }) => name)
    .join(", ");
}

/** Completes a sentence such as "must be ...". */
export function scalarExpectation(scalar: ScalarType, json: unknown): string {
  return scalar === ScalarType.STRING && typeof json === "string" ? "valid Unicode" : scalars[scalar];
}

function wrappedScalar(schema: DescMessage): ScalarType | undefined {
  return isWrapperDesc(schema) ? schema.fields[0]?.scalar : undefined;
}
