import { readFileSync } from "node:fs";
import { create, type DescMessage, type DescMethod, getOption, type Message } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { http } from "../../gen/google/api/annotations_pb.ts";
import { type MethodName, type MethodRow, methodRows, services } from "../../src/rpc/methods.ts";

const rows: Readonly<Record<MethodName, MethodRow<never>>> = methodRows;
const methods = services
  .flatMap(({ methods }) => methods as readonly DescMethod[])
  .map((method) => ({ method, name: method.name, row: rows[method.localName as MethodName] }));

/** Fields that the contract marks as secret, in a message and in messages inside it. */
function secretFields(schema: DescMessage, seen = new Set<DescMessage>()): readonly string[] {
  if (seen.has(schema)) return [];
  seen.add(schema);
  return schema.fields.flatMap((field) => [
    ...(field.proto.options?.debugRedact === true ? [field.name] : []),
    ...(field.message === undefined ? [] : secretFields(field.message, seen)),
  ]);
}

function isNoSideEffects({ idempotency }: DescMethod): boolean {
  return idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
}

/** Comments of the rpcs in the contract, by name, each as one line. */
const comments = new Map(
  [
    ...services
      .map(({ file }) => readFileSync(new URL(`../../proto/${file.name}.proto`, import.meta.url), "utf8"))
      .join("\n")
      .matchAll(/((?:^ {2}\/\/.*\n)+) {2}rpc (\w+)\(/gm),
  ].map(([, comment = "", name = ""]) => [name, comment.replace(/^ {2}\/\/ ?/gm, "").replaceAll("\n", " ")]),
);

test("every method of the contract has a row, and every row a method", () => {
  expect(Object.keys(methodRows).toSorted()).toEqual(methods.map(({ method }) => method.localName).toSorted());
});

test.each(methods)("the row of $name and debug_redact agree on whether its response has a secret", ({ method, row }) => {
  expect(row.hasSecret).toBe(secretFields(method.output).length > 0);
});

test.each(methods)("$name is a change, or a read that GET may call, or a read that takes a secret", ({ method, row }) => {
  if (row.effect === "change") {
    expect(isNoSideEffects(method)).toBe(false);
    return;
  }
  // Requests of NO_SIDE_EFFECTS methods are part of URLs.
  expect(isNoSideEffects(method)).toBe(secretFields(method.input).length === 0);
});

test.each(methods)("$name has a path, and only NO_SIDE_EFFECTS methods have GET", ({ method }) => {
  const { pattern, additionalBindings } = getOption(method, http);
  for (const { case: verb } of [pattern, ...additionalBindings.map((binding) => binding.pattern)]) {
    expect(verb === "get").toBe(isNoSideEffects(method));
  }
});

test.each(methods)("$name is public if and only if its name does not begin with Admin", ({ name, row }) => {
  expect(row.access === "public").toBe(!name.startsWith("Admin"));
});

test.each(methods)(
  "$name is open to admins; to auditors if it reads without a credential; to verifiers if it takes one",
  ({ method, row }) => {
    if (typeof row.access === "string") return;
    expect(row.access).toContain("admin");
    expect(row.access.includes("auditor")).toBe(isNoSideEffects(method));
    if (row.access.includes("verifier")) expect(secretFields(method.input)).not.toEqual([]);
  },
);

test.each(methods)(
  "a body of $name has at most 16 KiB if anyone may send it, otherwise 1 MiB, or 16 MiB for a batch",
  ({ method, row }) => {
    const isBatch = method.input.fields.some(({ fieldKind, message }) => fieldKind === "list" && message !== undefined);
    const kibibytes = row.access === "public" ? 16 : isBatch ? 16 * 1024 : 1024;
    expect(row.body.maxBytes).toBeLessThanOrEqual(kibibytes * 1024);
  },
);

test.each(methods)("$name returns 204 if and only if its response is empty", ({ method, row }) => {
  expect(row.success.status === 204).toBe(method.output.typeName === "google.protobuf.Empty");
});

test.each(methods)("$name returns 201 if and only if it has a Location, which is the path of a GET", ({ method, row }) => {
  expect(row.success.status === 201).toBe(row.success.location !== undefined);
  if (row.success.location === undefined) return;
  // The key is in a field of the response, or is the response; a tenant is the response.
  const keyId = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
  const idName = method.output.typeName.endsWith(".Tenant") ? "tenant_id" : "key_id";
  const inner = method.output.fields.find(({ message }) => message?.fields.some(({ name }) => name === "key_id"))?.localName;
  const response = create(method.output, inner === undefined ? { keyId, tenantId: keyId } : { [inner]: { keyId } }) as Message;
  const location = row.success.location(response as never);
  expect(location).toContain(keyId);
  const getPaths = methods.map((other) => getOption(other.method, http).pattern);
  expect(getPaths.filter(({ case: verb }) => verb === "get").map(({ value }) => value)).toContain(location.replace(keyId, `{${idName}}`));
});

test.each(methods)("the comment of $name in the contract says who may call it", ({ name, row }) => {
  const comment = comments.get(name) ?? "";
  const word = /\b(Public|Every caller)\./.exec(comment)?.[1];
  const said = word === "Public" ? "public" : word === "Every caller" ? "caller" : /\bRoles?: ([a-z, ]+)\./.exec(comment)?.[1]?.split(", ");
  expect(said).toEqual(row.access);
});

test.each(methods)("the comment of $name in the contract says its HTTP status", ({ name, row }) => {
  const said = /\bHTTP status: (\d+)( with `Location`)?/.exec(comments.get(name) ?? "");
  expect([Number(said?.[1] ?? 200), said?.[2] !== undefined]).toEqual([row.success.status, row.success.location !== undefined]);
});

test("rows with one request message have the same bound of JSON values, because the reader knows only the message", () => {
  const bounds = new Map<DescMessage, Set<number>>();
  for (const { method, row } of methods) {
    bounds.set(method.input, (bounds.get(method.input) ?? new Set()).add(row.body.maxJsonValues));
  }
  expect([...bounds].filter(([, values]) => values.size > 1).map(([{ typeName }]) => typeName)).toEqual([]);
});
