import { type DescMessage, isFieldSet, type Message } from "@bufbuild/protobuf";
import type { FieldMask } from "@bufbuild/protobuf/wkt";
import { type FieldViolation, invalidRequest } from "../error/failure.ts";

/**
 * The fields of a message that a change writes: those in the mask, or without a mask the populated ones (AIP-134). An empty mask
 * counts as no mask, because generated clients always send one.
 */
export function fieldsToWrite<Name extends string>(
  message: Message,
  mask: FieldMask | undefined,
  maskField: string,
  schema: DescMessage,
  writable: readonly Name[],
): Set<Name> {
  if (mask !== undefined && mask.paths.length > 0) return maskedFields(mask, maskField, schema, writable);
  return new Set(writable.filter((name) => schema.fields.some((field) => field.name === name && isFieldSet(message, field))));
}

/**
 * The fields in a mask. `*` means every writable field (AIP-134). Throws INVALID_REQUEST on the mask's field for
 * every path that is unknown, reaches into a field, or names a field that is not writable.
 */
function maskedFields<Name extends string>(mask: FieldMask, maskField: string, schema: DescMessage, writable: readonly Name[]): Set<Name> {
  const names = new Set<Name>();
  const violations: FieldViolation[] = [];
  for (const path of mask.paths) {
    const name = writable.find((candidate) => candidate === path);
    if (path === "*") for (const each of writable) names.add(each);
    else if (name !== undefined) names.add(name);
    else violations.push({ field: maskField, description: problemOf(path, schema, writable) });
  }
  if (violations.length > 0) throw invalidRequest(violations);
  return names;
}

function problemOf(path: string, schema: DescMessage, writable: readonly string[]): string {
  const top = path.split(".", 1)[0];
  const field = schema.fields.find((candidate) => candidate.name === top);
  if (field === undefined) return `"${printable(path)}" is not a field of ${schema.name}`;
  return writable.includes(field.name)
    ? `"${field.name}" can only be named as a whole`
    : `"${field.name}" cannot be written; the mask may name ${writable.join(", ")}`;
}

/** A path comes from the caller and goes into an error text. It is cut short, because a caller may put a credential here by mistake. */
function printable(path: string): string {
  return path.replaceAll(/[^\w.*-]/g, "?").slice(0, 24);
}
