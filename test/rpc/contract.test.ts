import { readFileSync } from "node:fs";
import { type DescField, type DescMessage, type DescMethod, fromBinary, getOption, ScalarType } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { field as fieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { expect, test } from "vitest";
import { FieldBehavior, field_behavior } from "../../gen/google/api/field_behavior_pb.ts";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { services } from "../../src/rpc/methods.ts";

const root = new URL("../../", import.meta.url);

/** Fields that callers write, in all requests and in our own messages inside them. */
function inputFields(schema: DescMessage, seen: Set<DescMessage>): readonly DescField[] {
  if (seen.has(schema) || !schema.typeName.startsWith("keywright.")) return [];
  seen.add(schema);
  const written = schema.fields.filter((field) => !getOption(field, field_behavior).includes(FieldBehavior.OUTPUT_ONLY));
  return written.flatMap((field) => [field, ...(field.message === undefined ? [] : inputFields(field.message, seen))]);
}

const seen = new Set<DescMessage>();
const ownMethods = services.flatMap(({ methods }) => methods as readonly DescMethod[]);
const fields = ownMethods.flatMap(({ input }) => inputFields(input, seen));

function isText(field: DescField): boolean {
  return field.fieldKind === "scalar" && (field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES);
}

/** The `buf.validate` rules for a field's kind. */
function rulesOf(field: DescField): { readonly [name: string]: unknown; readonly in?: readonly unknown[] } {
  return { ...getOption(field, fieldRules).type?.value };
}

function isBounded(field: DescField): boolean {
  const rules = rulesOf(field);
  if (field.fieldKind === "list") return rules.maxItems !== undefined;
  // Values that cannot be changed are compared, never stored.
  if (field.fieldKind === "enum") return rules.definedOnly === true || getOption(field, field_behavior).includes(FieldBehavior.IMMUTABLE);
  // The parser limits the length of a credential.
  return field.name === "credential" || (rules.maxLen ?? rules.maxBytes) !== undefined || (rules.in?.length ?? 0) > 0;
}

test("the fields of requests are found", () => {
  expect(fields.length).toBeGreaterThan(50);
});

test("every text, list and enum in a request has a bound in the contract", () => {
  const unbounded = fields
    .filter((field) => field.fieldKind === "list" || field.fieldKind === "enum" || isText(field))
    .filter((field) => !isBounded(field));
  expect(unbounded.map(String)).toEqual([]);
});

test("every required text in a request is refused if it is empty", () => {
  const required = fields.filter((field) => isText(field) && getOption(field, field_behavior).includes(FieldBehavior.REQUIRED));
  const open = required.filter((field) => !(Number(rulesOf(field).minLen ?? 0) > 0));
  expect(open.map(String)).toEqual([]);
});

test("CHANGELOG.md names every method that is not in the last release", () => {
  const released = fromBinary(FileDescriptorSetSchema, readFileSync(new URL("proto/released.binpb", root)));
  const service = released.file.flatMap((file) => file.service).find(({ name }) => name === ApiKeysService.name);
  const old = new Set(service?.method.map(({ name }) => name));
  expect(old).toContain("AdminIssueApiKey");
  const changelog = readFileSync(new URL("CHANGELOG.md", root), "utf8");
  expect(ownMethods.map(({ name }) => name).filter((name) => !old.has(name) && !changelog.includes(name))).toEqual([]);
});
