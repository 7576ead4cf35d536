import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ApiHere, faults, startApi } from "../support/api.ts";

let api: ApiHere;
/** Ids by the status of the key; all of one actor. */
const keys: Record<"ACTIVE" | "REVOKED" | "EXPIRED", string[]> = { ACTIVE: [], REVOKED: [], EXPIRED: [] };

beforeAll(async () => {
  api = await startApi();
  for (let count = 0; count < 20; count += 1) {
    keys.EXPIRED.push((await api.issue({ actor_id: "one", ttl: "1s" })).keyId);
    keys.REVOKED.push((await api.issue({ actor_id: "one" })).keyId);
    keys.ACTIVE.push((await api.issue({ actor_id: count < 10 ? "one" : 'the "other"' })).keyId);
  }
  for (const key_id of keys.REVOKED) await api.call("AdminRevokeApiKey", { key_id, reason: "REVOCATION_REASON_SUPERSEDED" });
  api.pass(1050);
});
afterAll(() => api?.[Symbol.asyncDispose]());

async function list(request: JsonObject): Promise<{ keyIds: string[]; keys: JsonObject[]; nextPageToken: string }> {
  const { issued_api_keys = [], next_page_token = "" } = await api.call("AdminListIssuedApiKeys", request);
  const listed = issued_api_keys as JsonObject[];
  return { keyIds: listed.map(({ key_id }) => String(key_id)), keys: listed, nextPageToken: String(next_page_token) };
}

test("is in the order of ids, which is the order of creation", async () => {
  const { keyIds } = await list({ page_size: 1000 });
  expect(keyIds).toEqual(keyIds.toSorted());
  expect(keyIds).toHaveLength(60);
});

test.each([
  [0, 50],
  [1, 1],
  [60, 60],
  [2_147_483_647, 60],
])("page_size %d shows %d of 60", async (page_size, shown) => {
  const { keyIds, nextPageToken } = await list({ page_size });
  expect([keyIds.length, nextPageToken !== ""]).toEqual([shown, shown < 60]);
});

test("order_by works across pages in both directions, and a page token belongs to its order", async () => {
  const upwards = await list({ page_size: 1000, order_by: "create_time" });
  expect(upwards.keyIds.toSorted()).toEqual(upwards.keyIds);
  const joined: string[] = [];
  for (let page_token = "", isLast = false; !isLast; isLast = page_token === "") {
    const page = await list({ page_size: 7, order_by: "create_time desc", page_token });
    joined.push(...page.keyIds);
    page_token = page.nextPageToken;
  }
  expect(joined).toEqual(upwards.keyIds.toReversed());
  const { nextPageToken } = await list({ page_size: 7, order_by: "create_time desc" });
  const other = { page_size: 7, order_by: "create_time", page_token: nextPageToken };
  expect(faults(await api.refused("AdminListIssuedApiKeys", other))).toEqual(["INVALID_ARGUMENT", "page_token"]);
});

test.each(["key_id", "create_time down", "create_time, expire_time"])(
  "order_by %s is refused, and the error names the field",
  async (order_by) => {
    expect(faults(await api.refused("AdminListIssuedApiKeys", { order_by }))).toEqual(["INVALID_ARGUMENT", "order_by"]);
  },
);

test("order_by is refused with a filter that its index cannot serve", async () => {
  const request = { order_by: "create_time", filter: 'name="x"' };
  expect(faults(await api.refused("AdminListIssuedApiKeys", request))).toEqual(["INVALID_ARGUMENT", "order_by"]);
});

test("total_size counts the keys of all pages if it is requested", async () => {
  const filter = 'actor_id="one" AND status=KEY_STATUS_ACTIVE';
  expect((await api.call("AdminListIssuedApiKeys", { filter, page_size: 3, include_total_size: true })).total_size).toBe(10);
  expect(await api.call("AdminListIssuedApiKeys", { filter, page_size: 3 })).not.toHaveProperty("total_size");
});

describe("filters", () => {
  test.each(["ACTIVE", "REVOKED", "EXPIRED"] as const)("by the computed status %s, without an actor", async (status) => {
    const { keyIds, keys: listed } = await list({ filter: `status=KEY_STATUS_${status}`, page_size: 1000 });
    expect(keyIds).toEqual(keys[status].toSorted());
    expect(new Set(listed.map((key) => key.status))).toEqual(new Set([`KEY_STATUS_${status}`]));
  });

  test.each([
    ['actor_id="one"', 50],
    ['actor_id="one" AND status="KEY_STATUS_ACTIVE"', 10],
    ["status=KEY_STATUS_ACTIVE AND actor_id=one", 10],
    ['actor_id = "the \\"other\\""', 10],
    ['(actor_id="one") AND (status=KEY_STATUS_ACTIVE)', 10],
    ["create_time>=2001-01-01T00:00:00Z", 60],
    ['actor_id="one" AND scopes:"a" AND scopes:"b"', 0],
    ['actor_id="nobody"', 0],
    ['actor_id=""', 0],
    ["", 60],
    ["  ", 60],
  ])("%s finds %d", async (filter, count) => {
    expect((await list({ filter, page_size: 1000 })).keyIds).toHaveLength(count);
  });

  test.each([
    "actor_id",
    "actor_id=",
    'actor_id="one',
    'actor_id!="one"',
    'actor_id="a" OR actor_id="b"',
    'actor_id="a" actor_id="b"',
    'actor_id="a" AND actor_id="b"',
    "NOT status=KEY_STATUS_ACTIVE",
    "status=ACTIVE",
    "status=KEY_STATUS_UNSPECIFIED",
    'create_time="2020-01-01T00:00:00Z"',
    'create_time>"yesterday"',
    'expire_time>"2020-01-01T00:00:00Z" AND expire_time>="2021-01-01T00:00:00Z"',
    'name="*"',
    'name:"x"',
    'scopes="x"',
    'scopes:""',
    'metadata.a.b="x"',
    'metadata="x"',
    "actor_id=one)",
    "constructor=x",
  ])("%s is refused, and the error names the filter", async (filter) => {
    expect(faults(await api.refused("AdminListIssuedApiKeys", { filter }))).toEqual(["INVALID_ARGUMENT", "filter"]);
  });

  test("a filter applies to all pages", async () => {
    const found: string[] = [];
    let page_token = "";
    do {
      const page = await list({ filter: "status=KEY_STATUS_EXPIRED", page_size: 7, page_token });
      found.push(...page.keyIds);
      page_token = page.nextPageToken;
    } while (page_token !== "");
    expect(found).toEqual(keys.EXPIRED.toSorted());
  });
});

test("a page token stays valid when a key is added", async () => {
  const first = await list({ page_size: 59 });
  const { keyId } = await api.issue({ actor_id: "late" });
  expect((await list({ page_size: 59, page_token: first.nextPageToken })).keyIds.at(-1)).toBe(keyId);
});

// Last, because it adds a key.
test("keys that expire soon, and keys that were not used for long, are found in one call", async () => {
  const soon = new Date(Date.now() + 7 * 86_400_000).toISOString();
  const { keyId } = await api.issue({
    actor_id: "finder",
    ttl: "259200s",
    scopes: ["find:me"],
    metadata: { team: "blue" },
    name: "billing-eu",
  });
  const find = async (filter: string) => (await list({ filter, page_size: 1000 })).keyIds;
  expect(await find(`status=KEY_STATUS_ACTIVE AND expire_time < "${soon}"`)).toEqual([keyId]);
  expect(await find(`last_used_time < "${soon}" AND actor_id="finder"`)).toEqual([keyId]);
  expect(await find(`last_used_time < "2020-01-01T00:00:00Z" AND status=KEY_STATUS_ACTIVE`)).toEqual([]);
  for (const filter of ['name="billing-*"', 'name="billing-eu"', 'scopes:"find:me"', 'metadata.team="blue"']) {
    expect(await find(filter), filter).toEqual([keyId]);
  }
  for (const filter of ['name="billing"', 'scopes:"find"', 'metadata.team="b*"']) expect(await find(filter), filter).toEqual([]);
});
