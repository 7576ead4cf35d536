import { create, type DescField, isFieldSet, type Message, ScalarType } from "@bufbuild/protobuf";
import { Failure } from "../error/failure.ts";
import { createJsonReader } from "../protojson/read.ts";
import type { FieldPath } from "./field-path.ts";

type Local = Record<string, unknown>;

/** Never ignores unknown enum names, because the path would then select another resource. */
const reader = createJsonReader({ unknownFields: "reject", presenceMasks: new Map() });

/**
 * Sets a scalar or enum field, found by its path, from the text of a path variable. Creates the messages on the way. Returns the problem if
 * the text is not a value of the field or if the field already has another value.
 */
export function setField(message: Message, path: FieldPath, text: string): string | undefined {
  const leaf = path.at(-1) as DescField;
  const value = readValue(leaf, text);
  if (value instanceof Failure) return value.violations[0]?.description;

  let target = message;
  for (const field of path.slice(0, -1)) {
    const taken = takenOneof(target, field);
    if (taken !== undefined) return taken;
    if (localValue(target, field) === undefined && field.message !== undefined) setLocal(target, field, create(field.message));
    target = localValue(target, field) as Message;
  }
  const taken = takenOneof(target, leaf);
  if (taken !== undefined) return taken;
  const current = localValue(target, leaf);
  if (current !== undefined && !isSame(current, value)) return "has another value in the body than in the path";
  setLocal(target, leaf, value);
  return undefined;
}

/** Returns the field's value for the text, or why the text cannot be read. */
function readValue(field: DescField, text: string): unknown {
  const json = field.enum === undefined ? scalarJson(field.scalar, text) : enumJson(text);
  try {
    const message = reader.read(field.parent, { [field.name]: json }) as unknown as Local;
    return field.oneof === undefined ? message[field.localName] : (message[field.oneof.localName] as { value: unknown }).value;
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
}

/** The JSON of the text of a query parameter or path variable. The reader refuses text that is not a value of the type. */
export function scalarJson(scalar: ScalarType | undefined, text: string): string | boolean {
  if (scalar !== ScalarType.BOOL) return text;
  return text === "true" ? true : text === "false" ? false : text;
}

export function enumJson(text: string): string | number {
  return /^-?\d{1,10}$/.test(text) ? Number(text) : text;
}

function localValue(message: Message, field: DescField): unknown {
  if (!isFieldSet(message, field)) return undefined;
  const local = message as unknown as Local;
  return field.oneof === undefined ? local[field.localName] : (local[field.oneof.localName] as { value: unknown }).value;
}

function setLocal(message: Message, field: DescField, value: unknown): void {
  const local = message as unknown as Local;
  if (field.oneof === undefined) local[field.localName] = value;
  else local[field.oneof.localName] = { case: field.localName, value };
}

function takenOneof(message: Message, field: DescField): string | undefined {
  if (field.oneof === undefined) return undefined;
  const current = (message as unknown as Record<string, { case: string | undefined }>)[field.oneof.localName]?.case;
  return current === undefined || current === field.localName ? undefined : "cannot be given together with what the body has";
}

function isSame(a: unknown, b: unknown): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  return Object.is(a, b);
}
