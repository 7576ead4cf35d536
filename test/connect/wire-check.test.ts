import { create, type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { DurationSchema, ValueSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { expect, test } from "vitest";
import { BatchImportApiKeysRequestSchema, ImportApiKeyRequestSchema } from "../../gen/keywright/v2alpha1/imported_api_key_pb.ts";
import { IpRestrictionSchema } from "../../gen/keywright/v2alpha1/key_policy_pb.ts";
import { BatchVerifyApiKeysRequestSchema } from "../../gen/keywright/v2alpha1/verification_pb.ts";
import { checkedFields, checkWire } from "../../src/connect/wire-check.ts";
import { Failure } from "../../src/error/failure.ts";

/** Makes a message long enough to be checked: an unknown field. */
const padding = Buffer.concat([Buffer.from("fa7f8010", "hex"), Buffer.alloc(2048)]);

function failureOf(schema: DescMessage, bytes: Uint8Array, wireBytes = bytes.length): Failure | undefined {
  try {
    checkWire(schema, bytes, wireBytes);
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  return undefined;
}

/** Writes a field of bytes by hand. */
function field(number: number, bytes: Uint8Array): Uint8Array {
  return new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(bytes).finish();
}

const join = (...parts: readonly Uint8Array[]) => Buffer.concat(parts);
const times = (count: number, bytes: Uint8Array) => Buffer.concat(Array.from({ length: count }, () => bytes));

test("counts the items of lists at every level without decoding them", () => {
  const empty = field(1, new Uint8Array());
  expect(failureOf(BatchVerifyApiKeysRequestSchema, join(times(100, empty), padding))).toBeUndefined();
  const batch = failureOf(BatchVerifyApiKeysRequestSchema, times(524_280, empty));
  expect([batch?.reason, batch?.message]).toEqual(["INVALID_REQUEST", "requests: must contain no more than 100 item(s)"]);

  const scopes = (count: number) => join(empty, empty, field(1, times(count, field(101, Buffer.from("a")))), padding);
  // One item of the batch, which the validator refuses.
  expect(failureOf(BatchVerifyApiKeysRequestSchema, scopes(101))).toBeUndefined();
  const nested = failureOf(BatchVerifyApiKeysRequestSchema, scopes(2049));
  expect(nested?.violations).toEqual([{ field: "requests[2].required_scopes", description: "must not hold more than 2048 items" }]);

  // A single message that occurs twice is merged, together with its lists.
  const ranges = toBinary(
    IpRestrictionSchema,
    create(IpRestrictionSchema, { allowedCidrs: Array.from({ length: 1100 }, () => "10.0.0.0/8") }),
  );
  const split = failureOf(ImportApiKeyRequestSchema, join(field(8, ranges), padding, field(8, ranges)));
  expect(split?.violations[0]?.field).toBe("ip_restriction.allowed_cidrs");
  const two = join(field(1, field(8, ranges)), field(1, field(8, ranges)), padding);
  expect(failureOf(BatchImportApiKeysRequestSchema, two)).toBeUndefined();
});

test("allows as many fields as the size of the request permits", () => {
  const fields = Buffer.from("f801".repeat(30_000), "hex");
  expect(failureOf(ImportApiKeyRequestSchema, fields)).toBeUndefined();
  expect(failureOf(ImportApiKeyRequestSchema, fields, 1000)?.reason).toBe("MALFORMED_BODY");
  // Also inside fields that have no bound of their own.
  const value = field(6, field(1, times(30_000, Buffer.from([0x12, 0]))));
  expect(failureOf(ImportApiKeyRequestSchema, value, value.length)).toBeUndefined();
  expect(failureOf(ImportApiKeyRequestSchema, value, 1000)?.reason).toBe("MALFORMED_BODY");
});

test("bounds what is decoded in one turn: each field and each item of a list", () => {
  const problemOf = (bytes: Uint8Array) => {
    try {
      for (const _ of checkedFields(BatchImportApiKeysRequestSchema, bytes, bytes.length));
      return undefined;
    } catch (error) {
      return (error as Failure).violations[0];
    }
  };
  const entry = field(1, field(2, Buffer.from([0x08, 0])));
  const importOf = (...fields: Uint8Array[]) => field(1, join(...fields));
  const small = importOf(field(6, times(2048, entry)));
  expect(problemOf(times(5, small))).toBeUndefined();
  const many = importOf(field(6, times(2049, entry)));
  expect(problemOf(join(small, many))).toEqual({
    field: "requests[1].metadata",
    description: "must not hold more than 2048 members",
  });
  // A metadata field that occurs again and again, as nested lists would.
  const value = field(2, field(6, times(2000, field(1, Buffer.from([0x08, 0])))));
  const lists = importOf(field(6, times(9, field(1, value))));
  expect(problemOf(join(small, lists))).toEqual({ field: "requests[1]", description: "must not hold more than 16384 fields" });
  expect(problemOf(importOf(field(1, Buffer.alloc(1024 * 1024))))).toEqual({
    field: "requests[0]",
    description: "must be at most 1048576 bytes",
  });
});

test("refuses excessive nesting, in fields, unknown fields and groups", () => {
  let value: Uint8Array = toBinary(ValueSchema, create(ValueSchema, { kind: { case: "numberValue", value: 1 } }));
  // A Value that contains a ListValue that contains it.
  for (let depth = 0; depth < 160; depth++) value = field(6, field(1, value));
  const nested = field(6, field(1, join(field(1, Buffer.from("k")), field(2, value))));
  expect(failureOf(ImportApiKeyRequestSchema, join(nested, padding))?.message).toContain("nested more than 100 levels deep");
  const groups = join(times(400, Buffer.from([0xfb, 0x01])), times(400, Buffer.from([0xfc, 0x01])), padding);
  expect(failureOf(ImportApiKeyRequestSchema, groups)?.message).toContain("nested more than 100 levels deep");
  const few = join(times(20, Buffer.from([0xfb, 0x01])), times(20, Buffer.from([0xfc, 0x01])), padding);
  expect(failureOf(ImportApiKeyRequestSchema, few)).toBeUndefined();
});

test("refuses a length beyond its message, and a type that the decoder would read as another", () => {
  const list = field(1, Buffer.alloc(0));
  // `requests` as a number: the decoder would read the number as a length.
  const asNumber = Buffer.from([0x08, 2, 0x0a, 0]);
  for (const bytes of [
    Buffer.from([0x0a, 0xff, 0xff, 0x7f]),
    asNumber,
    Buffer.from([0x00, 1]),
    Buffer.from([0x0f, 1]),
    Buffer.from([0x0c]),
  ]) {
    expect(failureOf(BatchVerifyApiKeysRequestSchema, join(list, padding, bytes))?.reason).toBe("MALFORMED_BODY");
  }
});

test("accepts what the encoder writes, including a full import", () => {
  const metadata = { a: [1, "x", null, { b: true, c: [[], {}] }] };
  const message = create(BatchImportApiKeysRequestSchema, {
    requests: Array.from({ length: 1000 }, (_, index) => ({
      rawKey: `key-${index}`,
      name: "n",
      actorId: "a",
      scopes: Array.from({ length: 100 }, (_, i) => `s${i}`),
      metadata,
      ttl: create(DurationSchema, { seconds: 3600n }),
      rateLimitPolicy: { quota: 1n, window: create(DurationSchema, { seconds: 1n, nanos: -1 }) },
      ipRestriction: { allowedCidrs: ["10.0.0.0/8"] },
    })),
    compactResults: true,
  });
  const bytes = toBinary(BatchImportApiKeysRequestSchema, message);
  expect(failureOf(BatchImportApiKeysRequestSchema, bytes)).toBeUndefined();
});

test("no accepted message decodes to lists longer than the rules allow", () => {
  const number = fc.nat(4);
  const anyField = fc.tuple(fc.constantFrom(1, 100, 101, 102, 15), fc.nat(7), fc.uint8Array({ maxLength: 6 }));
  const record = fc.oneof(
    { weight: 3, arbitrary: fc.tuple(number, fc.constant(Buffer.from("0a00", "hex"))).map(([n, item]) => times(n * 20, item)) },
    { weight: 2, arbitrary: fc.nat(2200).map((n) => Buffer.from(field(1, times(n, field(101, Buffer.from("a")))))) },
    { weight: 1, arbitrary: anyField.map(([n, type, bytes]) => join(new BinaryWriter().uint32((n << 3) | type).finish(), bytes)) },
  );
  fc.assert(
    fc.property(fc.array(record, { maxLength: 12 }), (records) => {
      const bytes = join(padding, ...records);
      if (failureOf(BatchVerifyApiKeysRequestSchema, bytes) !== undefined) return;
      let requests: readonly { requiredScopes: string[] }[] = [];
      try {
        ({ requests } = fromBinary(BatchVerifyApiKeysRequestSchema, bytes, { readUnknownFields: false }));
      } catch {
        // The decoder refuses it later.
      }
      expect(requests.length).toBeLessThanOrEqual(100);
      for (const { requiredScopes } of requests) expect(requiredScopes.length).toBeLessThanOrEqual(2048);
    }),
    { numRuns: 500 },
  );
});
