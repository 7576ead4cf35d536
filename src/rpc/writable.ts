import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { isTimestamp } from "../validation/times.ts";

/** Whether a message, or its init shape, has a JSON and a binary form. */
export type IsWritable = (message: unknown) => boolean;

/**
 * Compiles the check for values that encoders throw on: times outside the years 1 to 9999, integers that do not fit 64 bits, and numbers in
 * google.protobuf.Struct that are not finite. No call can create them, but another program may have written them to the store.
 */
export function compileWritable(schema: DescMessage): IsWritable {
  const checks = schema.fields.flatMap((field) => {
    const isFieldWritable = checkOf(field);
    return isFieldWritable === undefined ? [] : [{ name: field.localName, isFieldWritable }];
  });
  return (message) =>
    checks.every(({ name, isFieldWritable }) => {
      const value = (message as Record<string, unknown>)[name];
      return value === undefined || isFieldWritable(value);
    });
}

function checkOf({ message, scalar, fieldKind }: DescField): IsWritable | undefined {
  if (fieldKind === "list" || fieldKind === "map") return undefined;
  if (message?.typeName === "google.protobuf.Struct") return isFiniteJson;
  if (message?.typeName === "google.protobuf.Timestamp") {
    return (value) => isTimestamp(value as Timestamp);
  }
  if (message !== undefined) return compileWritable(message);
  return scalar === ScalarType.INT64 ? (value) => BigInt.asIntN(64, value as bigint) === value : undefined;
}

function isFiniteJson(value: unknown): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  return typeof value !== "object" || value === null || Object.values(value).every(isFiniteJson);
}
