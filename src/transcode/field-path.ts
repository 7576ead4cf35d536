import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";
import { fieldsByJsonName, hasMembers } from "../protojson/fields.ts";

/** Well-known messages, apart from the wrappers, that JSON and queries write as one string. */
const textual = new Set(["google.protobuf.Timestamp", "google.protobuf.Duration", "google.protobuf.FieldMask"]);

/** Returns whether one parameter can contain the field's value, or one of its items. */
export function isScalarLike({ fieldKind, message }: DescField): boolean {
  return fieldKind !== "map" && (message === undefined || isWrapperDesc(message) || textual.has(message.typeName));
}

export type FieldPath = readonly DescField[];

/**
 * Returns the fields along the path `a.b.c`, whose names may have either casing; undefined if one does not exist. All but the last are
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

/** Writes the path in proto names. */
export function pathText(path: FieldPath): string {
  return path.map((field) => field.name).join(".");
}
