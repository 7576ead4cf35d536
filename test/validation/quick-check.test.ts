import { create, type DescMessage, type DescMethod, type Message, ScalarType } from "@bufbuild/protobuf";
import { StructSchema } from "@bufbuild/protobuf/wkt";
import { createValidator } from "@bufbuild/protovalidate";
import fc from "fast-check";
import { expect, it } from "vitest";
import { ImportApiKeyRequestSchema } from "../../gen/keywright/v2alpha1/imported_api_key_pb.ts";
import { IssueApiKeyRequestSchema } from "../../gen/keywright/v2alpha1/issued_api_key_pb.ts";
import { KeyVisibility } from "../../gen/keywright/v2alpha1/key_policy_pb.ts";
import { VerifyApiKeyRequestSchema } from "../../gen/keywright/v2alpha1/verification_pb.ts";
import { services } from "../../src/rpc/methods.ts";
import { compileQuickCheck } from "../../src/validation/quick-check.ts";

const validator = createValidator();
const requests = [
  ...new Set(services.flatMap(({ methods }) => methods as readonly DescMethod[]).map(({ input }): DescMessage => input)),
].map((schema) => ({
  schema,
  isQuick: compileQuickCheck(schema),
}));

/** Texts on both sides of every length in the contract, half of them with characters outside the basic plane. */
const text = fc
  .tuple(fc.constantFrom(0, 1, 2, 255, 256, 257, 512, 1024, 1025, 2048, 4097), fc.constantFrom("a", "\u{1f511}", ".", " ", '"'))
  .map(([length, character]) => character.repeat(length));

const texts = fc.oneof(fc.array(text, { maxLength: 3 }), fc.constantFrom(Array(101).fill("a"), Array(1001).fill("a")));

function messageOf(schema: DescMessage): fc.Arbitrary<Message> {
  const members: Record<string, fc.Arbitrary<unknown>> = {};
  for (const field of schema.fields) {
    if (field.fieldKind === "list" && field.scalar === ScalarType.STRING) members[field.localName] = texts;
    else if (field.scalar === ScalarType.STRING) members[field.localName] = text;
    else if (field.scalar === ScalarType.INT32) members[field.localName] = fc.constantFrom(-1, 0, 1, 1_000_000);
    else if (field.fieldKind === "enum") members[field.localName] = fc.constantFrom(0, 1, 2, 99);
    else if (field.message?.typeName === StructSchema.typeName)
      members[field.localName] = fc.constantFrom({}, { a: [1, null, { b: "c" }] });
  }
  return fc.record(members, { requiredKeys: [] }).map((init) => create(schema, init as never));
}

it.each(requests)("accepts nothing that the validator would refuse: $schema.name", ({ schema, isQuick }) => {
  fc.assert(
    fc.property(messageOf(schema), (message) => {
      if (isQuick(message)) expect(validator.validate(schema, message).kind).toBe("valid");
    }),
    { numRuns: 300 },
  );
});

it("accepts the usual verification without the validator, and leaves invalid requests to it", () => {
  const isQuick = compileQuickCheck(VerifyApiKeyRequestSchema);
  for (const request of [{ requiredScopes: ["read"] }, { clientIp: "2001:db8::1" }]) {
    expect(isQuick(create(VerifyApiKeyRequestSchema, { credential: "k", ...request }))).toBe(true);
  }
  for (const request of [{}, { credential: "k", clientIp: "1".repeat(46) }, { credential: "k", requiredScopes: [""] }]) {
    expect(isQuick(create(VerifyApiKeyRequestSchema, request))).toBe(false);
  }
});

it("accepts usual requests for a new key without the validator, and leaves others to it", () => {
  const attributes = {
    name: "n",
    actorId: "a",
    scopes: ["read", "s".repeat(256)],
    metadata: { team: ["x"] },
    visibility: KeyVisibility.SECRET,
    requestId: "r",
  };
  const isQuickIssue = compileQuickCheck(IssueApiKeyRequestSchema);
  const isQuickImport = compileQuickCheck(ImportApiKeyRequestSchema);
  const rawKey = "k".repeat(1365);
  expect(isQuickIssue(create(IssueApiKeyRequestSchema, attributes))).toBe(true);
  expect(isQuickImport(create(ImportApiKeyRequestSchema, { ...attributes, rawKey }))).toBe(true);
  expect(isQuickImport(create(ImportApiKeyRequestSchema, { ...attributes, rawKey: `${rawKey}k` }))).toBe(false);
  for (const wrong of [{ scopes: ["a b"] }, { scopes: [""] }, { visibility: 99 as KeyVisibility }, { name: "n".repeat(256) }]) {
    expect(isQuickIssue(create(IssueApiKeyRequestSchema, { ...attributes, ...wrong }))).toBe(false);
  }
});
