import { create, type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";
import type { ByteCursor } from "./byte-cursor.ts";

/** Reads up to `end` into a new message. Returns false for uncommon input; then the message must not be used. Never throws. */
export type ReadMessage = (message: Message, cursor: ByteCursor, end: number) => boolean;

/** Reads a value after its tag. Returns undefined for uncommon input. */
type ReadValue = (cursor: ByteCursor, end: number) => unknown;

type Local = Record<string, unknown>;

const wireType = { varint: 0, lengthDelimited: 2 } as const;

export function compileReader(schema: DescMessage): ReadMessage {
  return compile(schema, []);
}

/** `above` are the messages around this one. A field of one of those types is uncommon, so that the depth is bounded. */
function compile(schema: DescMessage, above: readonly DescMessage[]): ReadMessage {
  const fields = new Map<number, ReadMessage>();
  for (const field of schema.fields) {
    const readValue = valueReader(field, [...above, schema]);
    const type = readValue !== undefined && isLengthDelimited(field) ? wireType.lengthDelimited : wireType.varint;
    const read = readValue && fieldReader(field, readValue);
    if (read !== undefined) fields.set((field.number << 3) | type, read);
  }
  return (message, cursor, end) => {
    while (cursor.at < end) {
      const read = fields.get(cursor.varint(end));
      if (read === undefined || !read(message, cursor, end)) return false;
    }
    return true;
  };
}

function fieldReader(field: DescField, readValue: ReadValue): ReadMessage | undefined {
  const { localName, oneof } = field;
  if (field.fieldKind === "list") {
    return (message, cursor, end) => {
      const value = readValue(cursor, end);
      ((message as unknown as Local)[localName] as unknown[]).push(value);
      return value !== undefined;
    };
  }
  // A second occurrence of a message is merged into the first.
  const isMerged = field.fieldKind === "message";
  if (isMerged && oneof !== undefined) return undefined;
  return (message, cursor, end) => {
    const local = message as unknown as Local;
    const value = readValue(cursor, end);
    if (value === undefined || (isMerged && local[localName] !== undefined)) return false;
    if (oneof === undefined) local[localName] = value;
    else local[oneof.localName] = { case: localName, value };
    return true;
  };
}

function isLengthDelimited(field: DescField): boolean {
  return field.message !== undefined || field.scalar === ScalarType.STRING;
}

function valueReader(field: DescField, above: readonly DescMessage[]): ReadValue | undefined {
  // Numbers of a list are packed.
  if (field.fieldKind === "map" || (field.fieldKind === "list" && !isLengthDelimited(field))) return undefined;
  if (field.message !== undefined) return messageReader(field, field.message, above);
  if (field.enum !== undefined) return field.enum.open ? numberReader : undefined;
  if (field.fieldKind === "scalar" && field.longAsString) return undefined;
  return scalarReaders[field.scalar as ScalarType];
}

function messageReader(field: DescField, schema: DescMessage, above: readonly DescMessage[]): ReadValue | undefined {
  const isGroup = "delimitedEncoding" in field && field.delimitedEncoding;
  // A wrapper and a Struct are represented by the value that they contain.
  if (isGroup || isWrapperDesc(schema) || schema.typeName === "google.protobuf.Struct" || above.includes(schema)) return undefined;
  const read = compile(schema, above);
  return (cursor, end) => {
    const byteLength = cursor.varint(end);
    const childEnd = cursor.at + byteLength;
    if (byteLength < 0 || childEnd > end) return undefined;
    const child = create(schema);
    return read(child, cursor, childEnd) ? child : undefined;
  };
}

const numberReader: ReadValue = (cursor, end) => {
  const value = cursor.varint(end);
  return value < 0 ? undefined : value;
};

const bigintReader: ReadValue = (cursor, end) => {
  const value = cursor.varint(end);
  return value < 0 ? undefined : BigInt(value);
};

const scalarReaders: Partial<Record<ScalarType, ReadValue>> = {
  [ScalarType.STRING]: (cursor, end) => cursor.asciiText(end),
  [ScalarType.BOOL]: (cursor, end) => {
    const value = cursor.varint(end);
    return value === 0 || value === 1 ? value === 1 : undefined;
  },
  [ScalarType.INT32]: numberReader,
  [ScalarType.UINT32]: numberReader,
  [ScalarType.INT64]: bigintReader,
  [ScalarType.UINT64]: bigintReader,
};
