import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { at, httpSender, type Send } from "../support/http.ts";
import { startServerHere } from "../support/server-here.ts";
import type { RunningServer } from "../support/server-process.ts";

/** What is special about JSON/HTTP in successful calls; errors and headers have their own files. */
const keysPath = "/v2alpha1/admin/issuedApiKeys";
let server: RunningServer;
let send: Send;

beforeAll(async () => {
  server = await startServerHere();
  send = httpSender(server.url, server.adminToken);
});
afterAll(() => server?.[Symbol.asyncDispose]());

async function issue(body: JsonObject = {}): Promise<{ keyId: string; secret: string; key: JsonObject }> {
  const { status, text, json } = await send("POST", keysPath, { body });
  expect(status, text).toBe(201);
  const key = json.issued_api_key as JsonObject;
  return { keyId: String(key.key_id), secret: String(json.secret), key };
}

describe("statuses", () => {
  test("issue returns 201 with a Location that can be fetched", async () => {
    const answer = await send("POST", keysPath, { body: { name: "located" } });
    expect(answer.status).toBe(201);
    const fetched = await send("GET", String(answer.headers.get("location")));
    expect(fetched.status).toBe(200);
    expect(fetched.json).toEqual(answer.json.issued_api_key);
  });

  test("rotate returns 201 with the Location of the new key", async () => {
    const { keyId } = await issue();
    const answer = await send("POST", `${keysPath}/${keyId}:rotate`, { body: {} });
    expect(answer.status).toBe(201);
    const fetched = await send("GET", String(answer.headers.get("location")));
    expect(fetched.json).toEqual(answer.json.issued_api_key);
    expect(fetched.json.key_id).not.toBe(keyId);
  });

  test("revoke returns 204 without a body, also when repeated", async () => {
    const { keyId } = await issue();
    for (const reason of ["REVOCATION_REASON_SUPERSEDED", "REVOCATION_REASON_KEY_COMPROMISE"]) {
      const answer = await send("POST", `/v2alpha1/admin/apiKeys/${keyId}:revoke`, { body: { reason } });
      expect([answer.status, answer.text, answer.headers.get("content-type")]).toEqual([204, "", null]);
    }
  });

  test("everything else returns 200 with JSON", async () => {
    const { keyId, secret } = await issue();
    const answers = [
      await send("GET", keysPath),
      await send("GET", `${keysPath}/${keyId}`),
      await send("PATCH", `${keysPath}/${keyId}`, { body: { name: "x" } }),
      await send("POST", "/v2alpha1/admin/apiKeys:verify", { body: { credential: secret } }),
      await send("POST", "/v2alpha1/apiKeys:selfRevoke", {
        body: { credential: secret, reason: "REVOCATION_REASON_SUPERSEDED" },
        token: null,
      }),
    ];
    for (const { status, headers, text } of answers) {
      expect([status, headers.get("content-type")], text).toEqual([200, "application/json"]);
    }
  });
});

describe("JSON", () => {
  test.each([
    ["snake_case", { actor_id: "u", rate_limit_policy: { quota: "5", window: "60s" }, ip_restriction: { allowed_cidrs: ["::/0"] } }],
    ["camelCase", { actorId: "u", rateLimitPolicy: { quota: 5, window: "1m" }, ipRestriction: { allowedCidrs: ["::/0"] } }],
  ])("%s is accepted, snake_case is returned, with int64 as text", async (_casing, body) => {
    const { key } = await issue(body as JsonObject);
    expect(key).toMatchObject({
      actor_id: "u",
      rate_limit_policy: { quota: "5", window: "60s", unit: "requests" },
      ip_restriction: { allowed_cidrs: ["::/0"] },
    });
  });

  test("is_valid is present when it is false", async () => {
    const { json } = await send("POST", "/v2alpha1/admin/apiKeys:verify", { body: { credential: "nobodys" } });
    expect(json).toEqual({ is_valid: false, error_code: "VERIFICATION_ERROR_NOT_FOUND", error_message: expect.any(String), scopes: [] });
  });

  test("an empty list is present", async () => {
    const { status, json } = await send("GET", `${keysPath}?filter=${encodeURIComponent('actor_id="nobody at all"')}`);
    expect(status).toBe(200);
    expect(json).toEqual({ issued_api_keys: [], next_page_token: "" });
  });

  test("timestamps are RFC 3339 in UTC", async () => {
    const { key } = await issue({ ttl: "60s" });
    for (const member of ["create_time", "update_time", "expire_time"]) {
      expect(key[member], member).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
    }
  });
});

describe("ttl", () => {
  test.each([
    ["1s", 1],
    ["3600s", 3600],
    ["1.5s", 1.5],
    ["1h30m", 5400],
    ["24h", 86_400],
    ["1d", 86_400],
    ["2w", 1_209_600],
    ["1mo", 2_592_000],
    ["1y", 31_536_000],
    ["10y", 315_360_000],
    ["315360000s", 315_360_000],
  ])("%s is %d s", async (ttl, seconds) => {
    const { key } = await issue({ ttl });
    expect((Date.parse(String(key.expire_time)) - Date.parse(String(key.create_time))) / 1000).toBe(seconds);
  });

  test.each([undefined, "0s"])("%s is the default: no expiry", async (ttl) => {
    const { key } = await issue(ttl === undefined ? {} : { ttl });
    expect(key.expire_time).toBeUndefined();
  });

  test.each(["0.5s", "-1s", "315360001s", "11y", "1 h", "1x", "h", "soon", 60])(
    "%s is refused, and the error names the field",
    async (ttl) => {
      const { status, json } = await send("POST", keysPath, { body: { ttl } });
      expect(status).toBe(400);
      expect(fieldsAtFault(json)).toEqual(["ttl"]);
    },
  );
});

describe("PATCH", () => {
  test.each<[string, string, JsonObject]>([
    ["the bare resource", "", { name: "new" }],
    ["the wrapped resource", "", { issued_api_key: { name: "new" } }],
    ["the wrapped resource in camelCase", "", { issuedApiKey: { name: "new" } }],
    ["the request as a whole", "", { issued_api_key: { name: "new", scopes: [] }, update_mask: "name" }],
    ["a mask in the query", "?update_mask=name", { name: "new", scopes: ["ignored"] }],
    ["a mask in the query in camelCase", "?updateMask=name", { name: "new", scopes: ["ignored"] }],
    ["a mask in the query and the wrapped resource", "?update_mask=name", { issued_api_key: { name: "new", scopes: ["ignored"] } }],
    ["an empty mask in the query", "?update_mask=", { name: "new" }],
    ["an empty mask in camelCase, without =", "?updateMask", { name: "new" }],
    ["an empty mask in the body", "", { issued_api_key: { name: "new" }, update_mask: "" }],
    ["an empty mask that is written as a message", "", { issuedApiKey: { name: "new" }, updateMask: {} }],
    ["an empty mask with its list of paths", "", { issued_api_key: { name: "new" }, update_mask: { paths: [] } }],
    ["output-only members, which are ignored", "", { name: "new", status: "KEY_STATUS_REVOKED", create_time: "2001-01-01T00:00:00Z" }],
  ])("takes %s", async (_what, query, body) => {
    const { keyId, key } = await issue({ name: "old", scopes: ["kept"], metadata: { kept: true } });
    const answer = await send("PATCH", `${keysPath}/${keyId}${query}`, { body });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.json).toEqual({ ...key, name: "new", update_time: expect.any(String) });
  });

  test.each(["rate_limit_policy,ip_restriction", "rateLimitPolicy,ipRestriction"])("a mask %s clears absent fields", async (mask) => {
    const policies = { rate_limit_policy: { quota: "1", window: "1s" }, ip_restriction: { allowed_cidrs: ["::1/128"] } };
    const { keyId } = await issue({ name: "kept", ...policies });
    const { json } = await send("PATCH", `${keysPath}/${keyId}?update_mask=${mask}`, { body: {} });
    expect(json).toMatchObject({ name: "kept" });
    expect([json.rate_limit_policy, json.ip_restriction]).toEqual([undefined, undefined]);
  });

  test("the mask * writes every updatable field", async () => {
    const { keyId } = await issue({ name: "old", actor_id: "kept", scopes: ["old"], metadata: { old: true } });
    const { json } = await send("PATCH", `${keysPath}/${keyId}?update_mask=*`, { body: { name: "new" } });
    expect(json).toMatchObject({ name: "new", actor_id: "kept" });
    expect([json.scopes ?? [], json.metadata]).toEqual([[], undefined]);
  });

  test("a key that was fetched can be sent back", async () => {
    const { keyId, key } = await issue({ name: "round", actor_id: "trip", ttl: "1h", metadata: { a: 1 } });
    const { status, json } = await send("PATCH", `${keysPath}/${keyId}`, { body: (await send("GET", `${keysPath}/${keyId}`)).json });
    expect(status).toBe(200);
    expect(json).toEqual({ ...key, update_time: expect.any(String) });
  });

  test.each(["status", "key_id", "nonsense", "metadata.a"])("a mask that names %s is refused, and the error names it", async (path) => {
    const { keyId } = await issue();
    const { status, json } = await send("PATCH", `${keysPath}/${keyId}?update_mask=name,${path}`, { body: { name: "x" } });
    expect(status).toBe(400);
    expect(fieldsAtFault(json)).toEqual(["update_mask"]);
    expect(json.message).toContain(path.split(".")[0]);
  });
});

describe("rotate", () => {
  test.each<[JsonObject, readonly string[], string]>([
    [{}, ["a", "b"], "old"],
    [{ scopes: [] }, [], "old"],
    [{ name: "" }, ["a", "b"], ""],
    [{ scopes: ["a"], name: "new" }, ["a"], "new"],
  ])("%j overrides fields that are present, even if they are empty", async (body, scopes, name) => {
    const { keyId } = await issue({ name: "old", scopes: ["a", "b"] });
    const { json } = await send("POST", `${keysPath}/${keyId}:rotate`, { body });
    expect([at(json, "issued_api_key", "scopes") ?? [], at(json, "issued_api_key", "name") ?? ""]).toEqual([scopes, name]);
  });
});

describe("lists", () => {
  test("a page token is valid only for its own list", async () => {
    for (let count = 0; count < 3; count += 1) await issue({ actor_id: "pager" });
    const list = (query: Record<string, string>) => send("GET", `${keysPath}?${new URLSearchParams({ page_size: "2", ...query })}`);
    const filter = 'actor_id="pager"';
    const token = String((await list({ filter })).json.next_page_token);
    expect((await list({ filter, page_token: token })).json.issued_api_keys).toHaveLength(1);
    // The same filter, written differently.
    expect((await list({ filter: "actor_id = 'pager'", pageToken: token })).status).toBe(200);

    const flipped = `${token.slice(0, -4)}${token.at(-4) === "A" ? "B" : "A"}${token.slice(-3)}`;
    const refusals = [
      await list({ page_token: token }),
      await list({ filter: 'actor_id="other"', page_token: token }),
      await list({ filter, page_token: flipped }),
      await list({ filter, page_token: token.slice(0, 8) }),
    ];
    for (const { status, json } of refusals) expect([status, ...fieldsAtFault(json)]).toEqual([400, "page_token"]);
  });

  test("camelCase query parameters are the same parameters", async () => {
    for (let count = 0; count < 2; count += 1) await issue({ actor_id: "camel" });
    const { json } = await send("GET", `${keysPath}?pageSize=1&filter=actor_id%3Dcamel`);
    expect(json.issued_api_keys).toHaveLength(1);
  });
});

describe("request_id", () => {
  test("a replay returns the same key without its secret, and another payload is refused", async () => {
    const body = { request_id: "11111111-2222-3333-4444-555555555555", name: "once", metadata: { a: 1, b: 2 } };
    const { keyId, secret } = await issue(body);
    expect(secret).not.toBe("");
    const replay = await send("POST", keysPath, { body: { ...body, metadata: { b: 2, a: 1 } } });
    expect([replay.status, at(replay.json, "issued_api_key", "key_id"), replay.json.secret ?? ""]).toEqual([201, keyId, ""]);
    const reuse = await send("POST", keysPath, { body: { ...body, name: "twice" } });
    expect([reuse.status, at(reuse.json, "error", "status")]).toEqual([409, "ALREADY_EXISTS"]);
  });

  test("more than 36 characters are refused", async () => {
    const { status, json } = await send("POST", keysPath, { body: { request_id: "x".repeat(37) } });
    expect([status, ...fieldsAtFault(json)]).toEqual([400, "request_id"]);
  });
});

function fieldsAtFault(json: JsonObject): string[] {
  const details = json.details as unknown as readonly { "@type": string; field_violations?: readonly { field: string }[] }[];
  return details.flatMap(({ field_violations = [] }) => field_violations.map(({ field }) => field));
}
