import { type DescField, type DescMessage, getOption, hasOption, ScalarType } from "@bufbuild/protobuf";
import { field as fieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { hasMembers } from "../protojson/fields.ts";
import { maxItems as maxJsonItems, tooManyIn } from "../protojson/scan-json.ts";

/** Wire types of protobuf's binary format. */
export const wireType = { varint: 0, bit64: 1, lengthDelimited: 2, startGroup: 3, endGroup: 4, bit32: 5 } as const;

/** The form that the bytes of a message must have, by field number. */
export interface WireShape {
  readonly fields: ReadonlyMap<number, WireField>;
}

export interface WireField {
  /** Empty if the JSON of the message does not show the field. */
  readonly name: string;
  readonly wireType: number;
  /** True for a repeated field of numbers, which may be packed into one value. */
  readonly isPackable: boolean;
  /** A list or a map. */
  readonly isRepeated: boolean;
  /** How many items a list or a map may have, and what to say if it has more. */
  readonly bound: { readonly maxItems: number; readonly description: string } | undefined;
  /** The shape of its messages, or of the entries of a map. */
  readonly message: WireShape | undefined;
}

const shapes = new WeakMap<DescMessage, WireShape>();

/** Returns the shape of a message, computed once. Messages may contain themselves, as google.protobuf.Value does. */
export function wireShapeOf(schema: DescMessage): WireShape {
  const known = shapes.get(schema);
  if (known !== undefined) return known;
  const fields = new Map<number, WireField>();
  const shape = { fields };
  shapes.set(schema, shape);
  for (const field of schema.fields) fields.set(field.number, fieldShape(field));
  return shape;
}

function fieldShape(field: DescField): WireField {
  const isRepeated = field.fieldKind === "list" || field.fieldKind === "map";
  const type = field.fieldKind === "map" ? wireType.lengthDelimited : wireTypeOf(field);
  return {
    name: hasMembers(field.parent) ? field.name : "",
    wireType: type,
    isPackable: field.fieldKind === "list" && type !== wireType.lengthDelimited,
    isRepeated,
    bound: isRepeated ? boundOf(field) : undefined,
    message: field.fieldKind === "map" ? entryShape(field) : field.message && wireShapeOf(field.message),
  };
}

/**
 * Lists of messages have the bound of their `buf.validate` rules, because each item costs much. Others are bounded as in JSON, and left to
 * the validator: a list that is too long in one item of a batch is a fault of that item only.
 */
function boundOf(field: DescField): WireField["bound"] {
  const { type } = field.message !== undefined && hasOption(field, fieldRules) ? getOption(field, fieldRules) : {};
  const maxItems = type?.case === "repeated" ? Number(type.value.maxItems) : 0;
  if (maxItems > 0) return { maxItems, description: `must contain no more than ${maxItems} item(s)` };
  return { maxItems: maxJsonItems, description: tooManyIn(field.fieldKind === "map" ? "members" : "items") };
}

/** An entry of a map is a message of its key, 1, and its value, 2. */
function entryShape(field: DescField & { fieldKind: "map" }): WireShape {
  const single = { name: "", isPackable: false, isRepeated: false, bound: undefined };
  const key = { ...single, wireType: wireTypeOfScalar(field.mapKey), message: undefined };
  const value = { ...single, wireType: wireTypeOf(field), message: field.message && wireShapeOf(field.message) };
  return {
    fields: new Map([
      [1, key],
      [2, value],
    ]),
  };
}

function wireTypeOf(field: DescField): number {
  if (field.message !== undefined) return wireType.lengthDelimited;
  return field.scalar === undefined ? wireType.varint : wireTypeOfScalar(field.scalar);
}

function wireTypeOfScalar(scalar: ScalarType): number {
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return wireType.lengthDelimited;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return wireType.bit64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return wireType.bit32;
    default:
      return wireType.varint;
  }
}
