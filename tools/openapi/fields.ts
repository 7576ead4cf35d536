import { type DescEnum, type DescField, type DescMessage, getOption, ScalarType } from "@bufbuild/protobuf";
import { FieldBehavior, field_behavior } from "../../gen/google/api/field_behavior_pb.ts";
import { type Bounds, boundsOf, excludedNumbers } from "./bounds.ts";
import { described } from "./comments.ts";
import { formatOf } from "./formats.ts";
import type { Json } from "./json-schema.ts";
import { wellKnownSchema } from "./well-known.ts";

/** Returns a reference to the schema of a message or an enum, and ensures that the schema exists. */
export type SchemaOf = (desc: DescMessage | DescEnum) => Json;

/** The schema of a field with its bounds and its comment. */
export function fieldSchema(field: DescField, schemaOf: SchemaOf): Json {
  const bounds = boundsOf(field);
  return { ...valueSchema(field, bounds, schemaOf), ...described(field), ...marks(field) };
}

function valueSchema(field: DescField, bounds: Bounds, schemaOf: SchemaOf): Json {
  switch (field.fieldKind) {
    case "list":
      return { type: "array", items: { ...singular(field, schemaOf), ...bounds.items }, ...bounds.own };
    case "map":
      return { type: "object", additionalProperties: singular(field, schemaOf) };
    case "enum":
      return { ...schemaOf(field.enum), ...excluded(field, field.enum) };
    default:
      return withBounds(singular(field, schemaOf), bounds.own);
  }
}

function singular(field: DescField, schemaOf: SchemaOf): Json {
  if (field.message !== undefined) return wellKnownSchema(field.message.typeName) ?? schemaOf(field.message);
  if (field.enum !== undefined) return schemaOf(field.enum);
  const schema = scalarSchema(field.scalar ?? ScalarType.STRING);
  return field.scalar === ScalarType.STRING ? { ...schema, ...formatOf(field) } : schema;
}

function scalarSchema(scalar: ScalarType): Json {
  switch (scalar) {
    case ScalarType.STRING:
      return { type: "string" };
    case ScalarType.BOOL:
      return { type: "boolean" };
    case ScalarType.BYTES:
      return { type: "string", contentEncoding: "base64" };
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return { type: "integer", format: "int32", minimum: -(2 ** 31), maximum: 2 ** 31 - 1 };
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return { type: "integer", format: "int64", minimum: 0, maximum: 2 ** 32 - 1 };
    case ScalarType.DOUBLE:
      return { type: "number", format: "double" };
    case ScalarType.FLOAT:
      return { type: "number", format: "float" };
    default:
      // 64-bit integers are strings, because JavaScript would round them.
      return { type: "string", format: "int64", pattern: "^-?[0-9]{1,19}$" };
  }
}

function withBounds(schema: Json, { minimum, maximum, ...own }: Json): Json {
  if (schema.format !== "int64" || schema.type !== "string") {
    return { ...schema, ...(minimum === undefined ? {} : { minimum }), ...(maximum === undefined ? {} : { maximum }), ...own };
  }
  const isPositive = typeof minimum === "number" && minimum > 0;
  return { ...schema, ...(isPositive ? { pattern: "^[1-9][0-9]{0,18}$" } : {}), ...own };
}

function excluded(field: DescField, desc: DescEnum): Json {
  const numbers = excludedNumbers(field);
  if (numbers.length === 0) return {};
  return { not: { enum: desc.values.filter(({ number }) => numbers.includes(number)).map(({ name }) => name) } };
}

function marks(field: DescField): Json {
  return {
    ...(getOption(field, field_behavior).includes(FieldBehavior.OUTPUT_ONLY) ? { readOnly: true } : {}),
    ...(field.proto.options?.debugRedact === true ? { "x-keywright-secret": true } : {}),
  };
}
