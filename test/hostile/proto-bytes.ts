import { create, type DescMessage, toBinary } from "@bufbuild/protobuf";
import type { Random } from "./random.ts";
import { invalidUtf8 } from "./values.ts";

/** Invalid protobuf bytes for a message of this type. `credential` must be harmless. */
export function oddProtobuf(random: Random, schema: DescMessage, credential: string): Buffer {
  const valid = validBytes(random, schema, credential);
  return random.pick<() => Buffer>([
    () => valid,
    () => Buffer.alloc(0),
    () => valid.subarray(0, random.below(valid.length + 1)),
    () => Buffer.concat([valid, random.bytes(1 + random.below(20))]),
    () => flipped(random, valid),
    () => random.bytes(random.below(300)),
    // A length beyond the end, one beyond 2^31, a varint without end.
    () => Buffer.concat([valid, Buffer.from("0affffffff07", "hex")]),
    () => Buffer.concat([valid, Buffer.from("0affffffffffffffffff01", "hex")]),
    () => Buffer.concat([valid, Buffer.alloc(200, 0xff)]),
    // Field number 0, wire types 6 and 7, a group that is closed but not opened, groups in groups.
    () => Buffer.concat([valid, Buffer.from("0000", "hex")]),
    () => Buffer.concat([valid, Buffer.from([random.pick([0x0e, 0x0f, 0x0c])])]),
    () => Buffer.concat([valid, Buffer.alloc(random.pick([10, 200, 20_000]), 0x0b)]),
    () => Buffer.concat([valid, Buffer.alloc(20_000, 0x0b), Buffer.alloc(20_000, 0x0c)]),
    // Every field as a varint, then every field as a string that is not UTF-8.
    () => Buffer.concat(schema.fields.map(({ number }) => Buffer.concat([tag(number, 0), Buffer.from("ffffffffffffffffff01", "hex")]))),
    () => Buffer.concat(schema.fields.map(({ number }) => delimited(number, random.pick(invalidUtf8)))),
    () => Buffer.concat(Array.from({ length: 3000 }, () => delimited(1 + random.below(12), Buffer.from("a")))),
    () => Buffer.concat([valid, delimited(536_870_911, random.bytes(30))]),
    () => nestedStruct(random, schema),
  ])();
}

function validBytes(random: Random, schema: DescMessage, credential: string): Buffer {
  const message: Record<string, unknown> = {};
  for (const { name, localName, fieldKind } of schema.fields) {
    if (fieldKind === "scalar" && name === "credential") message[localName] = credential;
    else if (fieldKind === "scalar" && name === "key_id") message[localName] = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    else if (fieldKind === "scalar" && name === "name") message[localName] = random.word(10);
  }
  return Buffer.from(toBinary(schema, create(schema, message)));
}

const structDepths = [20, 99, 101, 1000, 4000];
const nestedStructs = new Map<number, Buffer>();

/** google.protobuf.Struct in Struct, deeper than a stack may allow. */
function nestedStruct(random: Random, schema: DescMessage): Buffer {
  const field = schema.fields.find(({ message }) => message?.typeName === "google.protobuf.Struct") ?? schema.fields[0];
  const depth = random.pick(structDepths);
  const bytes = nestedStructs.get(depth) ?? structOfDepth(depth);
  nestedStructs.set(depth, bytes);
  return delimited(field?.number ?? 1, bytes);
}

function structOfDepth(depth: number): Buffer {
  let bytes: Buffer = Buffer.alloc(0);
  for (let level = 0; level < depth && bytes.length < 60_000; level += 1) {
    // Struct.fields entry: key "a", value: Value.struct_value or Value.list_value of the level below.
    const value = delimited(2, level % 2 === 0 ? delimited(5, bytes) : delimited(6, delimited(1, delimited(5, bytes))));
    bytes = delimited(1, Buffer.concat([delimited(1, Buffer.from("a")), value]));
  }
  return bytes;
}

function flipped(random: Random, bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  for (let count = 0; copy.length > 0 && count < 3; count += 1) copy[random.below(copy.length)] = random.below(256);
  return copy;
}

function delimited(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([tag(number, 2), varint(bytes.length), bytes]);
}

function tag(number: number, wireType: number): Buffer {
  return varint(number * 8 + wireType);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}
