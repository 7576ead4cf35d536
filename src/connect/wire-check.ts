import type { DescMessage } from "@bufbuild/protobuf";
import { Failure, invalidField } from "../error/failure.ts";
import { maxDepth as maxJsonDepth, nestedTooDeep } from "../protojson/fields.ts";
import { type WireField, type WireShape, wireShapeOf, wireType } from "./wire-shape.ts";

/** Shorter messages are decoded without a check: their records are too few to cost much (bench/micro.ts). */
const uncheckedBytes = 1024;

/**
 * A message may have this many records (a field with its value, on any level), and `recordsPerByte` more for each byte on the wire. An
 * uncompressed body never exceeds this, because a record has at least two bytes. A compressed body could have a million.
 */
const freeRecords = 1024;
const recordsPerByte = 2;

/** The limits of a field of a message that is decoded in one turn. Each value of a Struct takes up to four records. */
const maxFieldRecords = 16_384;
const maxFieldBytes = 1024 * 1024;

/** A level of JSON in a Struct takes three levels of messages, so both formats accept the same depth. */
export const maxDepth = 3 * maxJsonDepth + 10;

/**
 * Checks the bytes of a message without decoding them, which costs a fraction of decoding (bench/micro.ts). Throws
 * INVALID_REQUEST for a list that is too long and for nesting beyond the depth of JSON, and MALFORMED_BODY for
 * more records than the size of the request allows, and for bytes that are not such a message. `wireBytes` is the size before inflating.
 */
export function checkWire(schema: DescMessage, bytes: Uint8Array, wireBytes: number): void {
  if (bytes.length > uncheckedBytes) check(schema, bytes, wireBytes);
}

/** The same for a short message that protobuf-es will decode: it reads a field of another wire type as if it had its own. */
export function checkShort(schema: DescMessage, bytes: Uint8Array): void {
  if (bytes.length <= uncheckedBytes) check(schema, bytes, bytes.length);
}

function check(schema: DescMessage, bytes: Uint8Array, wireBytes: number): void {
  const scan = newScan(bytes, wireBytes);
  checkMessage(scan, bytes.length, newFrame(wireShapeOf(schema), undefined, undefined, 0));
}

/** A field of the message itself, with its tag. */
export interface CheckedField {
  readonly number: number;
  readonly bytes: Uint8Array;
}

/** The same check field by field, for messages that take long. A field, or an item of a list, has at most 1 MiB and 16384 records. */
export function* checkedFields(schema: DescMessage, bytes: Uint8Array, wireBytes: number): Generator<CheckedField, void> {
  const scan = newScan(bytes, wireBytes);
  const frame = newFrame(wireShapeOf(schema), undefined, undefined, 0);
  while (scan.at < bytes.length) {
    const start = scan.at;
    const recordsBefore = scan.recordsLeft;
    const number = checkNext(scan, frame);
    if (recordsBefore - scan.recordsLeft > maxFieldRecords)
      throw tooLong(frame, number, `must not hold more than ${maxFieldRecords} fields`);
    if (scan.at - start > maxFieldBytes) throw tooLong(frame, number, `must be at most ${maxFieldBytes} bytes`);
    yield { number, bytes: bytes.subarray(start, scan.at) };
  }
}

function tooLong({ shape, counts }: Frame, number: number, description: string): Failure {
  const field = shape.fields.get(number);
  if (field === undefined) return malformed("an unknown field of the message is too long");
  const count = counts?.get(field);
  return invalidField(count === undefined ? field.name : `${field.name}[${count - 1}]`, description);
}

function newScan(bytes: Uint8Array, wireBytes: number): Scan {
  return { bytes, at: 0, recordsLeft: freeRecords + recordsPerByte * wireBytes };
}

interface Scan {
  readonly bytes: Uint8Array;
  at: number;
  recordsLeft: number;
}

/** A message that the scan is inside of. */
interface Frame {
  readonly shape: WireShape;
  readonly parent: Frame | undefined;
  /** The field of the parent that holds it. */
  readonly field: WireField | undefined;
  readonly depth: number;
  /** Items of its lists so far. */
  counts: Map<WireField, number> | undefined;
  /** Its singular message fields. A repeated occurrence is merged into the previous one, including its lists. */
  singles: Map<WireField, Frame> | undefined;
}

function newFrame(shape: WireShape, parent: Frame | undefined, field: WireField | undefined, depth: number): Frame {
  if (depth > maxDepth) throw nestedTooDeep();
  return { shape, parent, field, depth, counts: undefined, singles: undefined };
}

function checkMessage(scan: Scan, end: number, frame: Frame): void {
  while (scan.at < end) checkNext(scan, frame);
  if (scan.at !== end) throw malformed("a field of the message is longer than the message");
}

/** Checks one field of a message. Returns its number. */
function checkNext(scan: Scan, frame: Frame): number {
  const tag = readTag(scan);
  const number = tag >>> 3;
  const field = frame.shape.fields.get(number);
  if (field === undefined) skip(scan, tag, maxDepth - frame.depth);
  else checkField(scan, field, tag & 7, frame);
  return number;
}

function checkField(scan: Scan, field: WireField, type: number, frame: Frame): void {
  if (field.bound !== undefined) countItem(field, field.bound, frame);
  if (type !== field.wireType) {
    if (!field.isPackable || type !== wireType.lengthDelimited) throw malformed("a field of the message has the wrong type");
    // Numbers are cheap, and each takes at least one byte.
    scan.recordsLeft -= skipLengthDelimited(scan);
    return;
  }
  if (field.message === undefined) {
    skipValue(scan, type);
    return;
  }
  const end = readVarint(scan) + scan.at;
  if (end > scan.bytes.length) throw malformed("the message is cut off");
  checkMessage(scan, end, childFrame(field, field.message, frame));
}

function childFrame(field: WireField, shape: WireShape, frame: Frame): Frame {
  const before = field.isRepeated ? undefined : frame.singles?.get(field);
  if (before !== undefined) return before;
  const child = newFrame(shape, frame, field, frame.depth + 1);
  if (!field.isRepeated) {
    frame.singles ??= new Map();
    frame.singles.set(field, child);
  }
  return child;
}

function countItem(field: WireField, { maxItems, description }: NonNullable<WireField["bound"]>, frame: Frame): void {
  frame.counts ??= new Map();
  const count = (frame.counts.get(field) ?? 0) + 1;
  if (count > maxItems) throw invalidField(pathOf(field, frame), description);
  frame.counts.set(field, count);
}

/** `requests[2].scopes`. */
function pathOf(field: WireField, frame: Frame): string {
  let path = field.name;
  for (let at: Frame | undefined = frame; at?.field !== undefined; at = at.parent) {
    const index = at.field.isRepeated ? `[${(at.parent?.counts?.get(at.field) ?? 1) - 1}]` : "";
    if (at.field.name !== "") path = `${at.field.name}${index}${path === "" ? "" : `.${path}`}`;
  }
  return path;
}

function readTag(scan: Scan): number {
  scan.recordsLeft -= 1;
  if (scan.recordsLeft < 0) throw malformed("the message has too many fields for its compressed size; send it uncompressed");
  const tag = readVarint(scan);
  if (tag >>> 3 === 0) throw malformed("a field of the message has the number 0");
  return tag;
}

/** An unknown field. */
function skip(scan: Scan, tag: number, depthLeft: number): void {
  if ((tag & 7) !== wireType.startGroup) {
    skipValue(scan, tag & 7);
    return;
  }
  if (depthLeft <= 0) throw nestedTooDeep();
  for (;;) {
    const inner = readTag(scan);
    if ((inner & 7) === wireType.endGroup) return;
    skip(scan, inner, depthLeft - 1);
  }
}

function skipValue(scan: Scan, type: number): void {
  if (type === wireType.varint) readVarint(scan);
  else if (type === wireType.bit64) scan.at += 8;
  else if (type === wireType.bit32) scan.at += 4;
  else if (type === wireType.lengthDelimited) skipLengthDelimited(scan);
  else throw malformed("a field of the message has an unknown type");
  if (scan.at > scan.bytes.length) throw malformed("the message is cut off");
}

/** Returns the length. */
function skipLengthDelimited(scan: Scan): number {
  const byteLength = readVarint(scan);
  scan.at += byteLength;
  if (scan.at > scan.bytes.length) throw malformed("the message is cut off");
  return byteLength;
}

/** The low 32 bits of a varint, which has at most ten bytes. */
function readVarint(scan: Scan): number {
  const { bytes } = scan;
  let value = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    const byte = bytes[scan.at++];
    if (byte === undefined) throw malformed("the message is cut off");
    if (shift < 32) value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value >>> 0;
  }
  throw malformed("a number of the message is too long");
}

function malformed(problem: string): Failure {
  return new Failure("MALFORMED_BODY", { message: `the request body is not a valid protobuf message: ${problem}` });
}
