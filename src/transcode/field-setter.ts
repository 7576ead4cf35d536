import { create, type DescEnum, type DescField, isFieldSet, type Message, protoInt64, ScalarType } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { integerText } from "../protojson/numeral.ts";
import { enumProblem, scalarProblem } from "../protojson/scalar-problem.ts";
import type { FieldPath } from "./field-path.ts";

type Local = Record<string, unknown>;

/**
 * Sets a scalar or enum field, found by its path, from the text of a path variable; messages on the way are made. Answers what is wrong
 * where the text is no such value, or where the field holds another value already, and undefined where all is well.
 */
export function setField(message: Message, path: FieldPath, text: string): string | undefined {
  const leaf = path.at(-1) as DescField;
  const json = leaf.enum !== undefined ? enumJson(text) : scalarJson(leaf.scalar, text);
  const problem = leaf.enum !== undefined ? enumProblem(leaf.enum, json, false) : scalarProblem(leaf.scalar ?? ScalarType.STRING, json);
  if (problem !== undefined) return problem;
  const value = leaf.enum !== undefined ? enumNumber(leaf.enum, json as string | number) : scalarValue(leaf, json as string | boolean);

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

/** The JSON that stands for the text of a query parameter or path variable; what is no such value is left for the reader to refuse. */
export function scalarJson(scalar: ScalarType | undefined, text: string): string | boolean {
  if (scalar !== ScalarType.BOOL) return text;
  return text === "true" ? true : text === "false" ? false : text;
}

export function enumJson(text: string): string | number {
  return /^-?\d{1,10}$/.test(text) ? Number(text) : text;
}

function enumNumber(desc: DescEnum, json: string | number): number {
  return typeof json === "number" ? json : (desc.values.find((value) => value.name === json || value.jsonName === json)?.number ?? 0);
}

/** Of JSON that scalarProblem finds nothing wrong with. */
function scalarValue(field: DescField, json: string | boolean): unknown {
  const integer = () => integerText(String(json)) as string;
  switch (field.scalar) {
    case ScalarType.STRING:
    case ScalarType.BOOL:
      return json;
    case ScalarType.BYTES:
      return base64Decode(String(json));
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return isLongAsString(field) ? protoInt64.parse(integer()).toString() : protoInt64.parse(integer());
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return isLongAsString(field) ? protoInt64.uParse(integer()).toString() : protoInt64.uParse(integer());
    default:
      return Number(json);
  }
}

function isLongAsString(field: DescField): boolean {
  return field.fieldKind === "scalar" && field.longAsString;
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
