import { create, type DescMessage, fromJson, type Message, toBinary } from "@bufbuild/protobuf";
import { StructSchema, TimestampSchema, ValueSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { expect, test } from "vitest";
import { VerifyApiKeyResponseSchema } from "../../gen/keywright/v2alpha1/verification_pb.ts";
import { createBinaryWriter } from "../../src/protobinary/write.ts";
import { jsonOf } from "../protojson/json-of.ts";
import { Everything } from "../protojson/sample.ts";
import { runCount } from "../support/run-count.ts";
import { schemas } from "./schemas.ts";

const writer = createBinaryWriter();
const written = (schema: DescMessage, message: Message) => Buffer.from(writer.write(schema, message, 0)).toString("hex");
const expected = (schema: DescMessage, message: Message) => Buffer.from(toBinary(schema, message)).toString("hex");

test.each(schemas.map((schema) => [schema.name, schema] as const))("%s: writes the same bytes as protobuf-es", (_name, schema) => {
  fc.assert(
    fc.property(jsonOf(schema, 2), (json) => {
      const message = fromJson(schema, json);
      expect(written(schema, message)).toBe(expected(schema, message));
    }),
    { numRuns: runCount(schema === Everything ? 50 : 15) },
  );
});

test("leaves room for a header, and grows for long messages", () => {
  const message = create(VerifyApiKeyResponseSchema, {
    keyId: "x".repeat(300_000),
    scopes: ["é", "a".repeat(200)],
    metadata: { a: "b".repeat(128) },
  });
  const bytes = writer.write(VerifyApiKeyResponseSchema, message, 5);
  expect(bytes.subarray(5).equals(toBinary(VerifyApiKeyResponseSchema, message))).toBe(true);
  const short = create(VerifyApiKeyResponseSchema, { keyId: "short" });
  expect(written(VerifyApiKeyResponseSchema, short)).toBe(expected(VerifyApiKeyResponseSchema, short));
});

test("writes edge cases as protobuf-es does", () => {
  for (const seconds of [-1n, 0n, 127n, 128n, 2n ** 31n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)]) {
    const time = create(TimestampSchema, { seconds, nanos: seconds < 0n ? -0 : 999_999_999 });
    expect(written(TimestampSchema, time)).toBe(expected(TimestampSchema, time));
  }
  for (const metadata of [{ n: -0, deep: { list: [[], {}, null, "\ud800", Number.NaN] } }, { "": undefined }, { f: () => 1 }]) {
    const message = { ...create(VerifyApiKeyResponseSchema), metadata } as unknown as Message;
    expect(written(VerifyApiKeyResponseSchema, message)).toBe(expected(VerifyApiKeyResponseSchema, message));
  }
  const unknown = { ...create(VerifyApiKeyResponseSchema), $unknown: [{ no: 99, wireType: 0, data: new Uint8Array([1]) }] };
  expect(written(VerifyApiKeyResponseSchema, unknown)).toBe(expected(VerifyApiKeyResponseSchema, unknown));
  const struct = create(StructSchema, { fields: { a: create(ValueSchema, { kind: { case: "structValue", value: { fields: {} } } }) } });
  expect(written(StructSchema, struct)).toBe(expected(StructSchema, struct));
});

test("refuses the messages that protobuf-es refuses, with the same error", () => {
  for (const wrong of [
    { errorCode: "x" },
    { errorCode: 2 ** 31 },
    { rateLimitRemaining: "x" },
    { scopes: undefined },
    { $typeName: "other" },
  ]) {
    const message = { ...create(VerifyApiKeyResponseSchema), ...wrong } as unknown as Message;
    const error = errorOf(() => toBinary<DescMessage>(VerifyApiKeyResponseSchema, message));
    expect(errorOf(() => writer.write(VerifyApiKeyResponseSchema, message, 0))).toBe(error);
    expect(error).not.toBe("none");
  }
});

function errorOf(work: () => unknown): string {
  try {
    work();
    return "none";
  } catch (error) {
    return String(error);
  }
}
