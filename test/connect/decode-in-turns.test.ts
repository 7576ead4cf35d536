import { create, equals, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { expect, test } from "vitest";
import { BatchImportApiKeysRequestSchema, ImportApiKeyRequestSchema } from "../../gen/keywright/v2alpha1/imported_api_key_pb.ts";
import { decodeMessage, decodeShort } from "../../src/connect/decode.ts";
import { Failure } from "../../src/error/failure.ts";
import { createBodyBudget } from "../../src/http/body-budget.ts";
import { createJsonReader } from "../../src/protojson/read.ts";
import { outcomeOf } from "../support/outcome-of.ts";

const schema = BatchImportApiKeysRequestSchema;
const json = createJsonReader({ unknownFields: "reject", presenceMasks: new Map(), maxValues: () => 100_000 });
const bodies = createBodyBudget({ maxBytes: 2 ** 27, maxAnonymousBytes: 2 ** 27, maxInflations: 1 });

/** An unknown field that makes any message a long one. */
const padding = new BinaryWriter().tag(999, WireType.LengthDelimited).bytes(new Uint8Array(70_000)).finish();

const item = fc
  .record({ rawKey: fc.string(), scopes: fc.array(fc.string(), { maxLength: 4 }), metadata: fc.dictionary(fc.string(), fc.string()) })
  .map((fields) =>
    new BinaryWriter()
      .tag(1, WireType.LengthDelimited)
      .bytes(toBinary(ImportApiKeyRequestSchema, create(ImportApiKeyRequestSchema, fields)))
      .finish(),
  );
const requestId = fc.string().map((text) => new BinaryWriter().tag(100, WireType.LengthDelimited).string(text).finish());
const compact = fc.boolean().map((value) => new BinaryWriter().tag(101, WireType.Varint).bool(value).finish());
const unknown = fc.nat().map((value) => new BinaryWriter().tag(500, WireType.Varint).uint32(value).finish());
const damaged = fc.uint8Array({ maxLength: 6 });
const messages = fc.array(fc.oneof({ weight: 20, arbitrary: item }, requestId, compact, unknown, damaged), { maxLength: 12 });

test("a long message is decoded as a short one is, fields in any order and damaged ones among them", async () => {
  await fc.assert(
    fc.asyncProperty(messages, fc.nat(20), async (fields, cutOff) => {
      const whole = Buffer.concat([padding, ...fields]);
      const bytes = cutOff < 2 ? whole.subarray(0, whole.length - cutOff) : whole;
      const inTurns = decodeMessage(schema, bytes, { codec: { binary: true }, json, lease: bodies.open(true) }, bytes.length);
      expect(inTurns).toBeInstanceOf(Promise);
      expect(await outcomeOf(() => inTurns)).toEqual(await outcomeOf(() => decodeShort(schema, bytes, true, json, bytes.length)));
    }),
    { numRuns: 400 },
  );
});

const requests = Array.from({ length: 1000 }, (_, index) => ({
  raw_key: `key-${index}`,
  scopes: ["a", "b"],
  metadata: { index, text: "x".repeat(2000) },
}));
const long = json.read(schema, { requests });
const formats = [
  { format: "protobuf", binary: true, bytes: toBinary(schema, long) },
  { format: "JSON", binary: false, bytes: Buffer.from(JSON.stringify({ requests })) },
];

test.each(formats)("other work runs while a long message in $format is decoded", async ({ binary, bytes }) => {
  let otherWork = 0;
  let isDone = false;
  const work = (): void => {
    otherWork += 1;
    if (!isDone) setImmediate(work);
  };
  setImmediate(work);
  const message = await decodeMessage(schema, bytes, { codec: { binary }, json, lease: bodies.open(true) }, bytes.length);
  isDone = true;
  expect(equals(schema, message as typeof long, long)).toBe(true);
  expect(otherWork).toBeGreaterThan(1);
});

test.each(formats)("the decoding of a long message in $format ends with its call", async ({ binary, bytes }) => {
  const late = bodies.open(true);
  const call = { isClosed: false };
  const outcomes = [late, bodies.open(true, call)].map((lease) =>
    outcomeOf(() => decodeMessage(schema, bytes, { codec: { binary }, json, lease }, bytes.length)),
  );
  setImmediate(() => {
    late.cancel(new Failure("DEADLINE_EXCEEDED"));
    call.isClosed = true;
  });
  expect(await Promise.all(outcomes)).toMatchObject([{ reason: "DEADLINE_EXCEEDED" }, { reason: "CANCELLED" }]);
});
