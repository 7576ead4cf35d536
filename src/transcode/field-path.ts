import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { fieldsByJsonName } from "../protojson/fields.ts";

/** Well-known messages that JSON and queries write as one string or number. */
const scalarLike = new Set([
  "google.protobuf.Timestamp",
  "google.protobuf.Duration",
  "google.protobuf.FieldMask",
  "google.protobuf.DoubleValue",
  "google.protobuf.FloatValue",
  "google.protobuf.Int64Value",
  "google.protobuf.UInt64Value",
  "google.protobuf.Int32Value",
  "google.protobuf.UInt32Value",
  "google.protobuf.BoolValue",
  "google.protobuf.StringValue",
  "google.protobuf.BytesValue",
]);

/** Messages whose JSON is not an object of their fields. */
const opaque = new Set([
  ...scalarLike,
  "google.protobuf.Any",
  "google.protobuf.Struct",
  "google.protobuf.Value",
  "google.protobuf.ListValue",
]);

/** Whether one parameter can hold the field's value, or one of its items. */
export function isScalarLike(field: DescField): boolean {
  return field.fieldKind !== "map" && (field.message === undefined || scalarLike.has(field.message.typeName));
}

/** Whether the message's JSON is an object of its fields. */
export function hasMembers(schema: DescMessage): boolean {
  return !opaque.has(schema.typeName);
}

export type FieldPath = readonly DescField[];

/**
 * The fields that `a.b.c` leads through, by their names in either casing; undefined where one does not exist. All but the last are
 * single messages.
 */
export function resolveFieldPath(schema: DescMessage, path: string): FieldPath | undefined {
  const fields: DescField[] = [];
  let message: DescMessage | undefined = schema;
  for (const name of path.split(".")) {
    const field: DescField | undefined = message && fieldsByJsonName(message).get(name);
    if (field === undefined) return undefined;
    fields.push(field);
    message = field.fieldKind === "message" && hasMembers(field.message) ? field.message : undefined;
  }
  return fields;
}

/** In proto names. */
export function pathText(path: FieldPath): string {
  return path.map((field) => field.name).join(".");
}
