import { readFileSync } from "node:fs";
import { type DescField, type DescMessage, getOption, hasOption, type JsonObject, type JsonValue, ScalarType } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FieldBehavior, field_behavior } from "../../gen/google/api/field_behavior_pb.ts";
import { ImportApiKeyRequestSchema, ImportedApiKeySchema } from "../../gen/keywright/v2alpha1/imported_api_key_pb.ts";
import {
  IssueApiKeyRequestSchema,
  IssuedApiKeySchema,
  RotateIssuedApiKeyRequestSchema,
} from "../../gen/keywright/v2alpha1/issued_api_key_pb.ts";
import { VerifyApiKeyResponseSchema } from "../../gen/keywright/v2alpha1/verification_pb.ts";
import { attributeFields, overridableFields } from "../../src/core/key-fields.ts";
import { type Api, faults, startApi } from "../support/api.ts";
import { asObject } from "../support/clients/client.ts";

/*
 * Tests every field of the key resources that is not OUTPUT_ONLY through the whole API. A new field in proto is tested without a change
 * here if it is a text; otherwise it needs two values in `samples`.
 */

/** Two different values of a field, neither of them empty. */
type Sample = readonly [JsonValue, JsonValue];

const samples: Readonly<Record<string, Sample>> = {
  visibility: ["KEY_VISIBILITY_PUBLIC", "KEY_VISIBILITY_SECRET"],
  scopes: [["a", "b"], ["b"]],
  metadata: [{ a: 1 }, { a: 2 }],
  rate_limit_policy: [
    { quota: "5", window: "60s", unit: "requests" },
    { quota: "6", window: "60s", unit: "requests" },
  ],
  ip_restriction: [{ allowed_cidrs: ["127.0.0.0/8", "::1/128"] }, { allowed_cidrs: ["127.0.0.0/8"] }],
};

function sampleOf(field: DescField): Sample {
  const sample = samples[field.name];
  if (sample !== undefined) return sample;
  if (field.fieldKind === "scalar" && field.scalar === ScalarType.STRING) return ["one", "another"];
  throw new Error(`samples has no values for the field ${field.name}`);
}

function has(field: DescField, behavior: FieldBehavior): boolean {
  return hasOption(field, field_behavior) && getOption(field, field_behavior).includes(behavior);
}

function namesOf(fields: readonly DescField[]): string[] {
  return fields.map(({ name }) => name).sort();
}

/** The fields that callers may set. */
function inputsOf(resource: DescMessage): DescField[] {
  return resource.fields.filter((field) => !has(field, FieldBehavior.OUTPUT_ONLY) && !has(field, FieldBehavior.IDENTIFIER));
}

interface Created {
  readonly key: JsonObject;
  readonly credential: string;
}

/** The calls for one kind of key. */
interface Kind {
  readonly name: string;
  readonly resource: DescMessage;
  readonly createRequest: DescMessage;
  /** Fields of the create request that are not fields of a key. */
  readonly createOnly: readonly string[];
  readonly create: string;
  readonly get: string;
  readonly list: string;
  readonly listed: string;
  readonly update: string;
  readonly updated: string;
  /** A request to which any field can be added. */
  base(): JsonObject;
  created(answer: JsonObject, request: JsonObject): Created;
}

let serial = 0;
const unique = (text: string) => `${text}-${++serial}`;

const kinds: readonly Kind[] = [
  {
    name: "issued",
    resource: IssuedApiKeySchema,
    createRequest: IssueApiKeyRequestSchema,
    createOnly: ["request_id", "ttl"],
    create: "AdminIssueApiKey",
    get: "AdminGetIssuedApiKey",
    list: "AdminListIssuedApiKeys",
    listed: "issued_api_keys",
    update: "AdminUpdateIssuedApiKey",
    updated: "issued_api_key",
    base: () => ({ actor_id: unique("actor") }),
    created: ({ issued_api_key, secret }) => ({ key: asObject(issued_api_key), credential: String(secret ?? "") }),
  },
  {
    name: "imported",
    resource: ImportedApiKeySchema,
    createRequest: ImportApiKeyRequestSchema,
    createOnly: ["raw_key", "raw_key_sha256", "request_id", "ttl"],
    create: "AdminImportApiKey",
    get: "AdminGetImportedApiKey",
    list: "AdminListImportedApiKeys",
    listed: "imported_api_keys",
    update: "AdminUpdateImportedApiKey",
    updated: "imported_api_key",
    base: () => ({ raw_key: unique("raw"), name: "n", actor_id: unique("actor") }),
    created: (key, { raw_key }) => ({ key, credential: String(raw_key) }),
  },
];

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.[Symbol.asyncDispose]());

async function changedFields(method: string, keyId: JsonValue | undefined): Promise<JsonValue> {
  const { audit_events } = await api.call("AdminListAuditEvents", { filter: `key_id="${keyId}" AND method="${method}"`, page_size: 1 });
  const [event] = audit_events as JsonObject[];
  return event?.changed_fields ?? [];
}

describe.each(kinds)("$name keys", (kind) => {
  const inputs = inputsOf(kind.resource);
  const writable = inputs.filter((field) => !has(field, FieldBehavior.IMMUTABLE));
  const immutable = inputs.filter((field) => has(field, FieldBehavior.IMMUTABLE));

  const create = async (request: JsonObject) => kind.created(await api.call(kind.create, request), request);
  const get = (key: JsonObject) => api.call(kind.get, { key_id: key.key_id as string });
  const update = (key: JsonObject, change: JsonObject, mask?: string) =>
    api.call(kind.update, {
      [kind.updated]: { key_id: key.key_id as string, ...change },
      ...(mask !== undefined && { update_mask: mask }),
    });

  test("the create request accepts every field of a key", () => {
    expect(namesOf(kind.createRequest.fields)).toEqual([...namesOf(inputs), ...kind.createOnly].sort());
  });

  test("attributeFields names every field that an update may write", () => {
    expect(Object.values<string>(attributeFields).sort()).toEqual(namesOf(writable));
  });

  describe.each(inputs.map((field) => [field.name, field] as const))("%s", (name, field) => {
    const [one, another] = sampleOf(field);

    test("is stored and shown", async () => {
      const request = { ...kind.base(), [name]: one };
      const { key, credential } = await create(request);
      expect(key).toMatchObject({ [name]: one });
      expect(await get(key)).toEqual(key);
      const page = await api.call(kind.list, { filter: `actor_id="${key.actor_id}"`, page_size: 1000 });
      expect(page[kind.listed]).toContainEqual(key);
      if (VerifyApiKeyResponseSchema.fields.some((shown) => shown.name === name)) {
        // The second response comes from the cache.
        for (let times = 0; times < 2; times += 1) expect(await api.verify({ credential })).toMatchObject({ is_valid: true, [name]: one });
      }
    });

    test("is part of the payload of a request id", async () => {
      const base = { ...kind.base(), request_id: unique("request") };
      const first = await create({ ...base, [name]: one });
      expect((await create({ ...base, [name]: one })).key).toEqual(first.key);
      const refusals = [await api.refused(kind.create, { ...base, [name]: another })];
      if (!(name in base)) refusals.push(await api.refused(kind.create, base));
      expect(refusals.map(({ reason }) => reason)).toEqual(refusals.map(() => "REQUEST_ID_REUSED"));
      expect(await get(first.key)).toEqual(first.key);
    });
  });

  describe.each(writable.map((field) => [field.name, field] as const))("an update of %s", (name, field) => {
    const [one, another] = sampleOf(field);

    test("writes it, with and without a mask, and the audit trail names it", async () => {
      const { key } = await create({ ...kind.base(), [name]: one });
      for (const [value, mask] of [
        [another, undefined],
        [one, field.jsonName],
        [another, "*"],
      ] as const) {
        const updated = await update(key, { [name]: value }, mask);
        expect(updated).toMatchObject({ [name]: value });
        expect(await get(key)).toEqual(updated);
        expect(await changedFields(kind.update, key.key_id)).toContain(name);
      }
    });

    test("does not change it if the mask does not name it, and clears it if the mask names it and the key has no value", async () => {
      const other = writable.find((each) => each !== field) as DescField;
      const { key } = await create({ ...kind.base(), [name]: one });
      expect(await update(key, { [name]: another }, other.jsonName)).toMatchObject({ [name]: one });
      expect(await update(key, {}, field.jsonName)).not.toHaveProperty(name);
      expect(await get(key)).not.toHaveProperty(name);
      expect(await changedFields(kind.update, key.key_id)).toEqual([name]);
    });
  });

  test.each(immutable.map((field) => [field.name, field] as const))("an update with another %s is refused", async (name, field) => {
    const [one, another] = sampleOf(field);
    const { key } = await create({ ...kind.base(), [name]: one });
    const request = { [kind.updated]: { key_id: key.key_id as string, [name]: another } };
    expect(faults(await api.refused(kind.update, request))).toEqual(["INVALID_ARGUMENT", `${kind.updated}.${name}`]);
    expect(await update(key, { [name]: one })).toMatchObject({ [name]: one });
    expect(await get(key)).toMatchObject({ [name]: one });
  });
});

describe("a rotation", () => {
  const rotate = async (key: JsonObject, overrides: JsonObject) =>
    asObject((await api.call("AdminRotateIssuedApiKey", { key_id: key.key_id as string, ...overrides })).issued_api_key);
  const inputs = inputsOf(IssuedApiKeySchema);
  const overridable = inputs.filter(({ name }) => RotateIssuedApiKeyRequestSchema.fields.some((field) => field.name === name));

  test("accepts every field that an update may write; overridableFields names the fields that it accepts", () => {
    expect(namesOf(RotateIssuedApiKeyRequestSchema.fields)).toEqual(
      [...namesOf(overridable), "grace_period", "key_id", "override_mask", "request_id", "ttl"].sort(),
    );
    expect(Object.values<string>(overridableFields).sort()).toEqual(namesOf(overridable));
    expect(namesOf(overridable)).toEqual(expect.arrayContaining(Object.values(attributeFields)));
  });

  test.each(inputs.map((field) => [field.name, field] as const))("inherits %s", async (name, field) => {
    const [one] = sampleOf(field);
    const { key } = await api.issue({ [name]: one });
    const successor = await rotate(key, {});
    expect(successor).toMatchObject({ [name]: one });
    expect(await api.get(String(successor.key_id))).toEqual(successor);
    expect(await changedFields("AdminRotateIssuedApiKey", key.key_id)).toEqual([]);
  });

  test.each(overridable.map((field) => [field.name, field] as const))("overrides %s, and the audit trail names it", async (name, field) => {
    const [one, another] = sampleOf(field);
    for (const mask of [undefined, field.jsonName]) {
      const { key } = await api.issue({ [name]: one });
      const successor = await rotate(key, { [name]: another, ...(mask !== undefined && { override_mask: mask }) });
      expect(successor).toMatchObject({ [name]: another });
      expect(await api.get(String(successor.key_id))).toEqual(successor);
      expect(await changedFields("AdminRotateIssuedApiKey", key.key_id)).toEqual([name]);
    }
  });

  test.each(Object.values(attributeFields))("clears %s if the mask names it and the request has no value", async (name) => {
    const field = inputs.find((each) => each.name === name) as DescField;
    const { key } = await api.issue({ [name]: sampleOf(field)[0] });
    expect(await rotate(key, { override_mask: field.jsonName })).not.toHaveProperty(name);
  });
});

/** The comment of a field in a proto file, as one line. */
function commentOf(file: string, fieldName: string): string {
  const lines = readFileSync(`proto/keywright/v2alpha1/${file}`, "utf8")
    .split("\n")
    .map((line) => line.trim());
  const end = lines.findIndex((line) => line.startsWith("google.protobuf.FieldMask ") && line.includes(` ${fieldName} = `));
  const start = lines.findLastIndex((line, index) => index < end && !line.startsWith("//"));
  return lines.slice(start + 1, end).join(" ");
}

test.each([
  ["issued_api_key.proto", "update_mask", attributeFields],
  ["imported_api_key.proto", "update_mask", attributeFields],
  ["issued_api_key.proto", "override_mask", overridableFields],
] as const)("in %s the comment of %s lists the fields that it may name", (file, mask, fields) => {
  const words = commentOf(file, mask).match(/\w+/g) ?? [];
  expect(words).toEqual(expect.arrayContaining(Object.values(fields)));
});

test.each(inputsOf(ImportedApiKeySchema).map((field) => [field.name, field] as const))(
  "%s is part of the payload of a batch's request id",
  async (name, field) => {
    const [one, another] = sampleOf(field);
    const base = { raw_key: unique("raw"), name: "n", actor_id: "a" };
    const request_id = unique("batch");
    const batch = (value: JsonValue) => ({ requests: [{ ...base, [name]: value }], request_id });
    const first = await api.call("AdminBatchImportApiKeys", batch(one));
    expect(first).toMatchObject({ success_count: 1, results: [{ imported_api_key: { [name]: one } }] });
    expect(await api.call("AdminBatchImportApiKeys", batch(one))).toEqual(first);
    expect(faults(await api.refused("AdminBatchImportApiKeys", batch(another)))).toEqual(["ALREADY_EXISTS"]);
  },
);
