import { create, type DescMessage, fromBinary, fromJson, type Message, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { VerifyApiKeyRequestSchema } from "../../gen/keywright/v2alpha1/verification_pb.ts";
import { createBinaryReader } from "../../src/protobinary/read.ts";
import { jsonOf } from "../protojson/json-of.ts";
import { Everything } from "../protojson/sample.ts";
import { runCount } from "../support/run-count.ts";
import { schemas } from "./schemas.ts";

/** Replaces some bytes by others, or by none. */
interface Damage {
  readonly at: number;
  readonly removed: number;
  readonly added: Uint8Array;
}

const damages = fc.array(fc.record({ at: fc.nat({ max: 60 }), removed: fc.nat({ max: 3 }), added: fc.uint8Array({ maxLength: 3 }) }), {
  maxLength: 2,
});

test.each(schemas.map((schema) => [schema.name, schema] as const))(
  "%s: reads the same as protobuf-es, from intact and damaged bytes",
  (_name, schema) => {
    fc.assert(
      fc.property(jsonOf(schema, 2), damages, fc.boolean(), (json, damaged, readUnknownFields) => {
        const bytes = damaged.reduce(damage, Buffer.from(toBinary(schema, fromJson(schema, json))));
        expectSame(schema, bytes, { readUnknownFields });
      }),
      { numRuns: runCount(schema === Everything ? 50 : 15) },
    );
  },
);

test.each([
  ["an empty message", ""],
  ["a text", "0a03616263"],
  ["a text that is cut off", "0a0461"],
  ["a text beyond ASCII", "0a02c3a9"],
  ["a text that is not UTF-8", "0a01ff"],
  ["a length in more bytes than it needs", "0a8300616263"],
  ["a tag in more bytes than it needs", "8a0003616263"],
  ["a length of five bytes", "0a8380808000616263"],
  ["the last of two texts", "0a01610a0162"],
  ["a wrong wire type", "0801"],
  ["an unknown field", "0a0161f80701"],
  ["field number 0", "000a0161"],
  ["a number of ten bytes", "30ffffffffffffffffff01"],
])("%s", (_title, hex) => {
  expectSame(VerifyApiKeyRequestSchema, Buffer.from(hex, "hex"), {});
  expectSame(VerifyApiKeyRequestSchema, Buffer.from(hex, "hex"), { readUnknownFields: false });
});

test("the bytes need not be a Buffer", () => {
  const message = create(VerifyApiKeyRequestSchema, { credential: "abc", cost: 2, requiredScopes: ["a", "b"] });
  expect(createBinaryReader({})(VerifyApiKeyRequestSchema, toBinary(VerifyApiKeyRequestSchema, message))).toEqual(message);
});

function damage(bytes: Buffer, { at, removed, added }: Damage): Buffer {
  return Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)]);
}

/** Expects the same message, or the same error. */
function expectSame(schema: DescMessage, bytes: Buffer, options: { readUnknownFields?: boolean }): void {
  const expected = outcomeOf(() => fromBinary(schema, bytes, options));
  expect(outcomeOf(() => createBinaryReader(options)(schema, bytes))).toEqual(expected);
}

function outcomeOf(read: () => Message): Message | string {
  try {
    return read();
  } catch (error) {
    return String(error);
  }
}
