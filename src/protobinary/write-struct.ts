import type { ByteSink } from "./byte-sink.ts";

/** Tags of google.protobuf.Struct, its map entries, Value and ListValue: the number of the field, shifted by three, and its wire type. */
const tags = {
  structFields: 0x0a,
  entryKey: 0x0a,
  entryValue: 0x12,
  nullValue: 0x08,
  numberValue: 0x11,
  stringValue: 0x1a,
  boolValue: 0x20,
  structValue: 0x2a,
  listValue: 0x32,
  listValues: 0x0a,
} as const;

/** Writes a JSON object as the fields of a google.protobuf.Struct. Returns false for a value that is not JSON. */
export function writeStruct(object: object, sink: ByteSink): boolean {
  for (const key of Object.keys(object)) {
    sink.varint(tags.structFields);
    const entry = sink.open();
    sink.varint(tags.entryKey);
    sink.text(key);
    sink.varint(tags.entryValue);
    if (!writeValue((object as Record<string, unknown>)[key], sink)) return false;
    sink.close(entry);
  }
  return true;
}

/** A google.protobuf.Value with its length. */
function writeValue(value: unknown, sink: ByteSink): boolean {
  const mark = sink.open();
  if (!writeKind(value, sink)) return false;
  sink.close(mark);
  return true;
}

function writeKind(value: unknown, sink: ByteSink): boolean {
  if (typeof value === "string") {
    sink.varint(tags.stringValue);
    sink.text(value);
  } else if (typeof value === "number") {
    sink.varint(tags.numberValue);
    sink.double(value);
  } else if (typeof value === "boolean") {
    sink.varint(tags.boolValue);
    sink.varint(value ? 1 : 0);
  } else if (value === null) {
    sink.varint(tags.nullValue);
    sink.varint(0);
  } else if (typeof value === "object") {
    return writeContainer(value, sink);
  } else {
    return false;
  }
  return true;
}

function writeContainer(value: object, sink: ByteSink): boolean {
  const isList = Array.isArray(value);
  sink.varint(isList ? tags.listValue : tags.structValue);
  const mark = sink.open();
  if (isList ? !writeItems(value, sink) : !writeStruct(value, sink)) return false;
  sink.close(mark);
  return true;
}

function writeItems(items: readonly unknown[], sink: ByteSink): boolean {
  for (const item of items) {
    sink.varint(tags.listValues);
    if (!writeValue(item, sink)) return false;
  }
  return true;
}
