import { type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence, isWrapperDesc } from "@bufbuild/protobuf/wkt";
import type { ByteSink } from "./byte-sink.ts";
import { writeStruct } from "./write-struct.ts";

/** Writes a message. Returns false if it cannot; then its output must not be used. */
export type WriteMessage = (message: Message, sink: ByteSink) => boolean;

/** Writes a value without its tag. Returns false if the value is not supported. */
type WriteValue = (value: unknown, sink: ByteSink) => boolean;

type Local = Record<string, unknown>;

const wireType = { varint: 0, bit64: 1, lengthDelimited: 2 } as const;

/** Returns undefined if a field of the message, or of a message in it, is of a kind that has no compiled writer. */
export function compileWriter(schema: DescMessage): WriteMessage | undefined {
  return compile(schema, []);
}

/** `above` are the messages around this one. One that contains itself is not compiled. */
function compile(schema: DescMessage, above: readonly DescMessage[]): WriteMessage | undefined {
  if (above.includes(schema)) return undefined;
  const fields: WriteMessage[] = [];
  for (const field of [...schema.fields].sort((a, b) => a.number - b.number)) {
    const write = fieldWriter(field, [...above, schema]);
    if (write === undefined) return undefined;
    fields.push(write);
  }
  const { typeName } = schema;
  return (message, sink) => {
    if (message.$typeName !== typeName || message.$unknown !== undefined) return false;
    for (let index = 0; index < fields.length; index++) {
      if (!(fields[index] as WriteMessage)(message, sink)) return false;
    }
    return true;
  };
}

function fieldWriter(field: DescField, above: readonly DescMessage[]): WriteMessage | undefined {
  if (field.fieldKind === "map" || field.presence === FeatureSet_FieldPresence.LEGACY_REQUIRED) return undefined;
  const write = valueWriter(field, above);
  if (write === undefined) return undefined;
  const tag = (field.number << 3) | wireTypeOf(field);
  const { localName, oneof } = field;
  const writeTagged: WriteValue = (value, sink) => {
    sink.varint(tag);
    return write(value, sink);
  };
  if (field.fieldKind === "list") {
    // Numbers are packed.
    return wireTypeOf(field) === wireType.lengthDelimited ? listWriter(localName, writeTagged) : undefined;
  }
  if (oneof !== undefined) {
    const oneofName = oneof.localName;
    return (message, sink) => {
      const chosen = (message as unknown as Record<string, { readonly case?: string; readonly value?: unknown } | undefined>)[oneofName];
      if (chosen === undefined) return false;
      return chosen.case === localName ? writeTagged(chosen.value, sink) : true;
    };
  }
  if (field.presence !== FeatureSet_FieldPresence.IMPLICIT) {
    return (message, sink) => {
      const value = (message as unknown as Local)[localName];
      return value !== undefined && Object.hasOwn(message, localName) ? writeTagged(value, sink) : true;
    };
  }
  const isZero = zeroTest(field);
  return (message, sink) => {
    const value = (message as unknown as Local)[localName];
    return isZero(value) || writeTagged(value, sink);
  };
}

/** Returns whether a value of a field without presence counts as not set. */
function zeroTest(field: DescField): (value: unknown) => boolean {
  switch (field.scalar) {
    case ScalarType.STRING:
      return (value) => value === "";
    case ScalarType.BOOL:
      return (value) => value === false;
    case ScalarType.BYTES:
      return (value) => value instanceof Uint8Array && value.length === 0;
    case ScalarType.DOUBLE:
      return (value) => Object.is(value, 0);
    default:
      return (value) => value === 0 || value === 0n;
  }
}

function listWriter(localName: string, write: WriteValue): WriteMessage {
  return (message, sink) => {
    const items = (message as unknown as Record<string, readonly unknown[] | undefined>)[localName];
    if (items === undefined) return false;
    for (let index = 0; index < items.length; index++) if (!write(items[index], sink)) return false;
    return true;
  };
}

function valueWriter(field: DescField, above: readonly DescMessage[]): WriteValue | undefined {
  if (field.message !== undefined) return messageWriter(field, field.message, above);
  if (field.enum !== undefined) return field.enum.values[0]?.number === 0 ? smallInteger : undefined;
  return scalarWriters[field.scalar as ScalarType];
}

function messageWriter(field: DescField, schema: DescMessage, above: readonly DescMessage[]): WriteValue | undefined {
  const isGroup = "delimitedEncoding" in field && field.delimitedEncoding;
  if (isGroup || isWrapperDesc(schema)) return undefined;
  // A Struct is represented by the JSON object that it contains, except inside Value.
  const write = schema.typeName === "google.protobuf.Struct" ? structWriter(field) : compile(schema, above);
  if (write === undefined) return undefined;
  return (value, sink) => {
    if (typeof value !== "object" || value === null) return false;
    const mark = sink.open();
    if (!write(value as Message, sink)) return false;
    sink.close(mark);
    return true;
  };
}

function structWriter(field: DescField): WriteMessage | undefined {
  return field.parent.typeName === "google.protobuf.Value" ? undefined : (object, sink) => writeStruct(object, sink);
}

function wireTypeOf(field: DescField): number {
  if (field.message !== undefined || field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES) {
    return wireType.lengthDelimited;
  }
  return field.scalar === ScalarType.DOUBLE ? wireType.bit64 : wireType.varint;
}

/** An int32, uint32 or enum that is not negative. */
const smallInteger: WriteValue = (value, sink) => {
  if (typeof value !== "number" || value >>> 0 !== value || value > 0x7fffffff) return false;
  sink.varint(value);
  return true;
};

/** An int64 or uint64 from 0 to 2^53 - 1. */
const largeInteger: WriteValue = (value, sink) => {
  if (typeof value !== "bigint" || value < 0n || value > Number.MAX_SAFE_INTEGER) return false;
  sink.varint(Number(value));
  return true;
};

const scalarWriters: Partial<Record<ScalarType, WriteValue>> = {
  [ScalarType.STRING]: (value, sink) => {
    if (typeof value !== "string") return false;
    sink.text(value);
    return true;
  },
  [ScalarType.BOOL]: (value, sink) => {
    if (typeof value !== "boolean") return false;
    sink.varint(value ? 1 : 0);
    return true;
  },
  [ScalarType.BYTES]: (value, sink) => {
    if (!(value instanceof Uint8Array)) return false;
    sink.lengthDelimited(value);
    return true;
  },
  [ScalarType.DOUBLE]: (value, sink) => {
    if (typeof value !== "number") return false;
    sink.double(value);
    return true;
  },
  [ScalarType.INT32]: smallInteger,
  [ScalarType.UINT32]: smallInteger,
  [ScalarType.INT64]: largeInteger,
  [ScalarType.UINT64]: largeInteger,
};
