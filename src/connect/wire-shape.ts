import { type DescField, type DescMessage, getOption, hasOption, ScalarType } from "@bufbuild/protobuf";
import { field as fieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";

/** Wire types of protobuf's binary format. */
export const wireType = { varint: 0, bit64: 1, lengthDelimited: 2, startGroup: 3, endGroup: 4, bit32: 5 } as const;

/** The form that the bytes of a message must have, by field number. */
export interface WireShape {
  readonly fields: ReadonlyMap<number, WireField>;
}

export interface WireField {
  readonly name: string;
  readonly wireType: number;
  /** True for a repeated field of numbers, which may be packed into one value. */
  readonly isPackable: boolean;
  /** True if its items are counted: a list or a map. */
  readonly isRepeated: boolean;
  /** `max_items` or `max_pairs` of its `buf.validate` rules, or 2048. Infinite if it is not repeated. */
  readonly maxItems: number;
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
    name: field.name,
    wireType: type,
    isPackable: field.fieldKind === "list" && type !== wireType.lengthDelimited,
    isRepeated,
    maxItems: isRepeated ? maxItemsOf(field) : Number.POSITIVE_INFINITY,
    message: field.fieldKind === "map" ? entryShape(field) : field.message && wireShapeOf(field.message),
  };
}

/** As in JSON (protojson/scan-json.ts). Metadata and custom claims have no rule, and at most 4096 bytes as JSON. */
const maxItemsByDefault = 2048;

function maxItemsOf(field: DescField): number {
  const { type } = hasOption(field, fieldRules) ? getOption(field, fieldRules) : {};
  const max = type?.case === "repeated" ? type.value.maxItems : type?.case === "map" ? type.value.maxPairs : 0n;
  return max === 0n ? maxItemsByDefault : Number(max);
}

/** An entry of a map is a message of its key, 1, and its value, 2. */
function entryShape(field: DescField & { fieldKind: "map" }): WireShape {
  const single = { isPackable: false, isRepeated: false, maxItems: Number.POSITIVE_INFINITY };
  const key = { ...single, name: "key", wireType: wireTypeOfScalar(field.mapKey), message: undefined };
  const value = { ...single, name: "value", wireType: wireTypeOf(field), message: field.message && wireShapeOf(field.message) };
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
