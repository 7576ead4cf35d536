import type { JsonObject } from "@bufbuild/protobuf";
import { createLocalJWKSet, type JWK, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { asObject, type Client, type ClientKind } from "../support/clients/client.ts";
import { clientKinds, refused, succeed } from "../support/clients.ts";
import { createRoleTokens, token } from "../support/role-tokens.ts";
import { startServerHere } from "../support/server-here.ts";
import type { RunningServer } from "../support/server-process.ts";
import { observeWire } from "../support/wire.ts";

/** One table of scenarios for every protocol, HTTP version and codec, on one port. */
const roles = createRoleTokens();
const absentKeyId = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
let server: RunningServer;
let clients: ReadonlyMap<ClientKind, Client>;

beforeAll(async () => {
  server = await startServerHere({ config: roles.config, env: { KEYWRIGHT_ADMIN_TOKEN: roles.admin } });
  clients = new Map(clientKinds.map((kind) => [kind, kind.open(server.url, server.adminToken)]));
});

afterAll(async () => {
  for (const client of clients?.values() ?? []) await client[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

function clientOf(kind: ClientKind): Client {
  return clients.get(kind) as Client;
}

interface IssuedKey {
  readonly keyId: string;
  readonly secret: string;
}

async function issue(client: Client, request: JsonObject = {}): Promise<IssuedKey> {
  const { issued_api_key, secret } = await succeed(client, "AdminIssueApiKey", request);
  return { keyId: String(asObject(issued_api_key).key_id), secret: String(secret) };
}

async function get(client: Client, keyId: string): Promise<JsonObject> {
  return succeed(client, "AdminGetIssuedApiKey", { key_id: keyId });
}

describe.each(clientKinds)("$name", (kind) => {
  test("is the protocol on the wire", async () => {
    const client = clientOf(kind);
    const { result: key, exchanges: writes } = await observeWire(() => issue(client));
    const { exchanges: reads } = await observeWire(() => get(client, key.keyId));
    expect(writes).toEqual([
      {
        httpVersion: kind.wire.httpVersion,
        httpMethod: "POST",
        path: expect.stringMatching(/IssueApiKey$|issuedApiKeys$/),
        requestContentType: expect.stringMatching(kind.wire.contentType),
        responseContentType: expect.stringMatching(kind.wire.contentType),
      },
    ]);
    expect(reads).toEqual([
      expect.objectContaining({
        httpVersion: kind.wire.httpVersion,
        httpMethod: kind.wire.readsByGet ? "GET" : "POST",
        responseContentType: expect.stringMatching(kind.wire.contentType),
      }),
    ]);
  });

  test("a key it issues verifies over every protocol", async () => {
    const { keyId, secret } = await issue(clientOf(kind), { name: kind.name, actor_id: "matrix", scopes: ["read", "write"] });
    for (const other of clients.values()) {
      const verified = await succeed(other, "AdminVerifyApiKey", { credential: secret, required_scopes: ["read"] });
      expect(verified, other.name).toMatchObject({ is_valid: true, key_id: keyId, actor_id: "matrix", scopes: ["read", "write"] });
    }
  });

  test("verifies a batch, each credential for itself and in order", async () => {
    const client = clientOf(kind);
    const keys = [await issue(client, { scopes: ["a"] }), await issue(client)];
    const items: JsonObject[] = keys.map(({ secret }) => ({ credential: secret, required_scopes: ["a"] }));
    const requests = [...items, {}, { credential: "nobodys" }];
    const { results } = await succeed(client, "AdminBatchVerifyApiKeys", { requests });
    expect(results).toMatchObject([
      { is_valid: true, key_id: keys[0]?.keyId, scopes: ["a"] },
      { is_valid: false, error_code: "VERIFICATION_ERROR_INSUFFICIENT_SCOPE", key_id: keys[1]?.keyId },
      { is_valid: false, error_code: "VERIFICATION_ERROR_INVALID_FORMAT", error_message: expect.stringMatching(/^credential: /) },
      { is_valid: false, error_code: "VERIFICATION_ERROR_NOT_FOUND" },
    ]);
  });

  test("a list that is too long in one item of a batch is a fault of that item", async () => {
    const required_scopes = Array.from({ length: 101 }, (_, index) => `a-scope-of-some-length-${index}`);
    const requests: JsonObject[] = [{ credential: "nobodys" }, { credential: "nobodys", required_scopes }];
    const { results } = await succeed(clientOf(kind), "AdminBatchVerifyApiKeys", { requests });
    expect(results).toMatchObject([
      { error_code: "VERIFICATION_ERROR_NOT_FOUND" },
      { error_code: "VERIFICATION_ERROR_INVALID_FORMAT", error_message: "required_scopes: must contain no more than 100 item(s)" },
    ]);
  });

  test("every list of a request that is too long is named", async () => {
    const [scopes, allowed_cidrs] = ["scope", "10.0.0.0/8"].map((text) => Array.from({ length: 101 }, () => text)) as [string[], string[]];
    const { violations } = await refused(clientOf(kind), "AdminIssueApiKey", { scopes, ip_restriction: { allowed_cidrs } });
    expect(violations).toMatchObject([{ field: "scopes" }, { field: "ip_restriction.allowed_cidrs" }]);
  });

  test("get returns what issue returned, the same over every protocol", async () => {
    const issued = asObject(
      (
        await succeed(clientOf(kind), "AdminIssueApiKey", {
          name: "Größe, 漢字 and 🗝",
          actor_id: "user_1",
          scopes: ["a:read"],
          ttl: "3600s",
          metadata: { nested: { list: [1, 2.5, null, true, "x"] }, empty: {} },
          rate_limit_policy: { quota: "9007199254740993", window: "60s" },
          ip_restriction: { allowed_cidrs: ["10.0.0.0/8", "2001:db8::/32"] },
          visibility: "KEY_VISIBILITY_PUBLIC",
        })
      ).issued_api_key,
    );
    expect(issued).toMatchObject({
      name: "Größe, 漢字 and 🗝",
      status: "KEY_STATUS_ACTIVE",
      visibility: "KEY_VISIBILITY_PUBLIC",
      metadata: { nested: { list: [1, 2.5, null, true, "x"] }, empty: {} },
      rate_limit_policy: { quota: "9007199254740993", window: "60s", unit: "requests" },
      ip_restriction: { allowed_cidrs: ["10.0.0.0/8", "2001:db8::/32"] },
    });
    for (const other of clients.values()) expect(await get(other, String(issued.key_id)), other.name).toEqual(issued);
  });

  test("lists by filter, in pages", async () => {
    const client = clientOf(kind);
    const actorId = `lister ${kind.name}`;
    const keyIds: string[] = [];
    for (let count = 0; count < 5; count += 1) keyIds.push((await issue(client, { actor_id: actorId })).keyId);
    const filter = `actor_id="${actorId}" AND status=KEY_STATUS_ACTIVE`;

    const pages: string[][] = [];
    let pageToken = "";
    do {
      const page = await succeed(client, "AdminListIssuedApiKeys", { filter, page_size: 2, page_token: pageToken });
      pages.push((page.issued_api_keys as JsonObject[]).map(({ key_id }) => String(key_id)));
      pageToken = String(page.next_page_token ?? "");
    } while (pageToken !== "");
    expect(pages.map(({ length }) => length)).toEqual([2, 2, 1]);
    expect(pages.flat()).toEqual(keyIds.toSorted());
  });

  test("updates only what the mask names", async () => {
    const client = clientOf(kind);
    const { keyId, secret } = await issue(client, { name: "before", scopes: ["old"], metadata: { kept: true } });
    const updated = await succeed(client, "AdminUpdateIssuedApiKey", {
      issued_api_key: { key_id: keyId, name: "after", scopes: [], metadata: { ignored: true } },
      update_mask: "name,scopes",
    });
    expect(updated).toMatchObject({ key_id: keyId, name: "after", metadata: { kept: true } });
    expect(updated.scopes).toBeUndefined();
    expect(await succeed(client, "AdminVerifyApiKey", { credential: secret })).toMatchObject({ is_valid: true, metadata: { kept: true } });
  });

  test("rotates: the new key verifies, the old one is revoked", async () => {
    const client = clientOf(kind);
    const old = await issue(client, { name: "rotated", actor_id: "user_1", scopes: ["a", "b"] });
    const rotated = await succeed(client, "AdminRotateIssuedApiKey", { key_id: old.keyId, scopes: ["a"] });
    expect(rotated.issued_api_key).toMatchObject({ name: "rotated", actor_id: "user_1", scopes: ["a"], status: "KEY_STATUS_ACTIVE" });
    expect(rotated.old_issued_api_key).toMatchObject({
      key_id: old.keyId,
      status: "KEY_STATUS_REVOKED",
      revocation_reason: "REVOCATION_REASON_SUPERSEDED",
    });
    expect(await succeed(client, "AdminVerifyApiKey", { credential: String(rotated.secret) })).toMatchObject({
      is_valid: true,
      scopes: ["a"],
    });
    expect(await succeed(client, "AdminVerifyApiKey", { credential: old.secret })).toMatchObject({
      is_valid: false,
      error_code: "VERIFICATION_ERROR_REVOKED",
    });
  });

  test("a key it revokes is refused over every protocol, cached or not", async () => {
    const { keyId, secret } = await issue(clientOf(kind));
    for (const other of clients.values()) await succeed(other, "AdminVerifyApiKey", { credential: secret });
    const description = "left the company";
    const reason = "REVOCATION_REASON_PRIVILEGE_WITHDRAWN";
    expect(await succeed(clientOf(kind), "AdminRevokeApiKey", { key_id: keyId, reason, description })).toEqual({});
    for (const other of clients.values()) {
      const verified = await succeed(other, "AdminVerifyApiKey", { credential: secret });
      expect(verified, other.name).toMatchObject({ is_valid: false, error_code: "VERIFICATION_ERROR_REVOKED", key_id: keyId });
    }
    expect(await get(clientOf(kind), keyId)).toMatchObject({ revocation_reason: reason, revocation_description: description });
  });

  test("the holder revokes with only the secret, without a bearer token", async () => {
    const client = clientOf(kind);
    const { keyId, secret } = await issue(client);
    const request = { credential: secret, reason: "REVOCATION_REASON_KEY_COMPROMISE" };
    expect(await succeed(client, "RevokeApiKey", request, { token: null })).toEqual({});
    expect(await get(client, keyId)).toMatchObject({
      status: "KEY_STATUS_REVOKED",
      revocation_reason: "REVOCATION_REASON_KEY_COMPROMISE",
    });
  });

  test("a token it derives verifies over every protocol, and offline", async () => {
    const client = clientOf(kind);
    const { keyId, secret } = await issue(client, { actor_id: "matrix", scopes: ["read", "write"] });
    const custom_claims = { team: { id: 7 } };
    const derived = asObject((await succeed(client, "AdminDeriveToken", { credential: secret, scopes: ["read"], custom_claims })).token);
    for (const other of clients.values()) {
      const verified = await succeed(other, "AdminVerifyApiKey", { credential: String(derived.token) });
      expect(verified, other.name).toMatchObject({ is_valid: true, key_id: keyId, scopes: ["read"], claims: custom_claims });
    }
    const { keys } = await succeed(client, "GetJwks", {}, { token: null });
    const { payload } = await jwtVerify(String(derived.token), createLocalJWKSet({ keys: keys as unknown as JWK[] }));
    expect(payload).toEqual(derived.claims);
  });

  test("reports how the cache was used", async () => {
    const client = clientOf(kind);
    const { secret } = await issue(client);
    const outcomes: (string | null)[] = [];
    for (const cacheControl of ["", "", "max-age=0, No-Cache", "no-store"]) {
      const reply = await client.call("AdminVerifyApiKey", { credential: secret }, { headers: { "cache-control": cacheControl } });
      outcomes.push(reply.headers.get("cache-status"));
    }
    expect(outcomes).toEqual(["keywright; fwd=miss", "keywright; hit", "keywright; fwd=bypass", "keywright; fwd=bypass"]);
  });

  test("accepts X-Request-Id and returns it, on errors too", async () => {
    const headers = { "x-request-id": `id-of:${kind.wire.httpVersion}/~` };
    for (const keyId of [(await issue(clientOf(kind))).keyId, absentKeyId]) {
      const reply = await clientOf(kind).call("AdminGetIssuedApiKey", { key_id: keyId }, { headers });
      expect(reply.headers.get("x-request-id")).toBe(headers["x-request-id"]);
    }
  });
});

interface ErrorCase {
  readonly title: string;
  readonly method: string;
  /** The request, or a function that makes it from a key that was rotated. */
  readonly request: JsonObject | ((revokedKeyId: string) => JsonObject);
  /** The admin's if absent; null: none. */
  readonly token?: string | null;
  /** True if protobuf clients cannot send it. */
  readonly jsonOnly?: true;
  readonly code: string;
  readonly reason: string;
  readonly fields?: readonly string[];
}

const invalid = { code: "INVALID_ARGUMENT", reason: "INVALID_REQUEST" };
const unauthenticated = { code: "UNAUTHENTICATED", reason: "UNAUTHENTICATED" };
const denied = { code: "PERMISSION_DENIED", reason: "PERMISSION_DENIED" };
const notFound = { code: "NOT_FOUND", reason: "KEY_NOT_FOUND" };

const errorCases: readonly ErrorCase[] = [
  { title: "no token", method: "AdminGetIssuedApiKey", request: { key_id: "x" }, token: null, ...unauthenticated },
  { title: "an unknown token", method: "AdminVerifyApiKey", request: { credential: "x" }, token: token(), ...unauthenticated },
  { title: "an auditor who issues", method: "AdminIssueApiKey", request: {}, token: roles.auditor, ...denied },
  { title: "an auditor who verifies", method: "AdminVerifyApiKey", request: { credential: "x" }, token: roles.auditor, ...denied },
  { title: "a verifier who lists", method: "AdminListIssuedApiKeys", request: {}, token: roles.verifier, ...denied },
  // AIP-211: the caller is checked before the request.
  { title: "a verifier with an invalid request", method: "AdminRevokeApiKey", request: { key_id: "x" }, token: roles.verifier, ...denied },
  { title: "a missing field", method: "AdminVerifyApiKey", request: {}, ...invalid, fields: ["credential"] },
  { title: "two missing fields", method: "RevokeApiKey", request: {}, token: null, ...invalid, fields: ["credential", "reason"] },
  {
    title: "an enum's UNSPECIFIED",
    method: "AdminRevokeApiKey",
    request: { key_id: "x", reason: "REVOCATION_REASON_UNSPECIFIED" },
    ...invalid,
    fields: ["reason"],
  },
  { title: "an unknown enum number", method: "AdminRevokeApiKey", request: { key_id: "x", reason: 99 }, ...invalid, fields: ["reason"] },
  {
    title: "an unknown enum name",
    method: "AdminRevokeApiKey",
    request: { key_id: "x", reason: "NO_SUCH_REASON" },
    jsonOnly: true,
    ...invalid,
    fields: ["reason"],
  },
  {
    title: "an unknown JSON member",
    method: "AdminIssueApiKey",
    request: { name: "x", ip_restrictions: {} },
    jsonOnly: true,
    ...invalid,
    fields: ["ip_restrictions"],
  },
  {
    title: "an unknown JSON member inside",
    method: "AdminIssueApiKey",
    request: { ip_restriction: { allowed: [] } },
    jsonOnly: true,
    ...invalid,
    fields: ["ip_restriction.allowed"],
  },
  { title: "an item of a list", method: "AdminIssueApiKey", request: { scopes: ["fine", "not fine"] }, ...invalid, fields: ["scopes[1]"] },
  {
    title: "no CIDR range",
    method: "AdminIssueApiKey",
    request: { ip_restriction: { allowed_cidrs: ["10.0.0.1"] } },
    ...invalid,
    fields: ["ip_restriction.allowed_cidrs[0]"],
  },
  { title: "a negative page size", method: "AdminListIssuedApiKeys", request: { page_size: -1 }, ...invalid, fields: ["page_size"] },
  {
    title: "an unsupported filter",
    method: "AdminListIssuedApiKeys",
    request: { filter: 'visibility="x"' },
    ...invalid,
    fields: ["filter"],
  },
  {
    title: "an invented page token",
    method: "AdminListIssuedApiKeys",
    request: { page_token: "AAAA" },
    ...invalid,
    fields: ["page_token"],
  },
  {
    title: "a mask that names an output-only field",
    method: "AdminUpdateIssuedApiKey",
    request: { issued_api_key: { key_id: absentKeyId }, update_mask: "status" },
    ...invalid,
    fields: ["update_mask"],
  },
  { title: "an unknown key", method: "AdminGetIssuedApiKey", request: { key_id: absentKeyId }, ...notFound },
  {
    title: "an unknown credential",
    method: "RevokeApiKey",
    request: { credential: "nobodys", reason: 1 },
    token: null,
    ...notFound,
  },
  { title: "deriving from an unknown credential", method: "AdminDeriveToken", request: { credential: "nobodys" }, ...notFound },
  {
    title: "rotating a revoked key",
    method: "AdminRotateIssuedApiKey",
    request: (keyId) => ({ key_id: keyId }),
    code: "FAILED_PRECONDITION",
    reason: "KEY_NOT_ACTIVE",
  },
];

describe("an error is the same over every protocol", () => {
  test.each(errorCases)("$title", async ({ method, request, token: callerToken, jsonOnly, code, reason, fields = [] }) => {
    const senders = jsonOnly === true ? clientKinds.filter(({ sendsAnyJson }) => sendsAnyJson) : clientKinds;
    const message = typeof request === "function" ? request(await revokedKey()) : request;
    const answers: object[] = [];
    for (const kind of senders) {
      const refusal = await refused(clientOf(kind), method, message, callerToken === undefined ? {} : { token: callerToken });
      const { code: itsCode, reason: itsReason, violations, message: text } = refusal;
      expect({ code: itsCode, reason: itsReason, fields: violations.map(({ field }) => field) }, kind.name).toEqual({
        code,
        reason,
        fields,
      });
      answers.push({ violations, text });
    }
    expect(answers).toEqual(answers.map(() => answers[0]));
  });
});

async function revokedKey(): Promise<string> {
  const client = clientOf(clientKinds[0] as ClientKind);
  const { keyId } = await issue(client);
  await succeed(client, "AdminRotateIssuedApiKey", { key_id: keyId });
  return keyId;
}
