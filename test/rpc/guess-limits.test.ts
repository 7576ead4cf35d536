import { afterAll, beforeAll, expect, test } from "vitest";
import { narrowMacaroon } from "../../src/core/token/macaroon.ts";
import { type Api, startApi } from "../support/api.ts";
import { asObject } from "../support/clients/client.ts";
import { httpSender } from "../support/http.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi("grpc", { env: { KEYWRIGHT_FAILED_VERIFY_LIMIT: "3/1h", KEYWRIGHT_SELF_REVOKE_LIMIT: "2/1h" } });
});
afterAll(() => api?.[Symbol.asyncDispose]());

const codeOf = async (credential: string, client_ip?: string) =>
  String((await api.verify({ credential, ...(client_ip === undefined ? {} : { client_ip }) })).error_code ?? "valid").replace(
    "VERIFICATION_ERROR_",
    "",
  );
const codesOf = async (count: number, credential: string, clientIp?: string) => {
  const codes: string[] = [];
  for (let call = 0; call < count; call += 1) codes.push(await codeOf(credential, clientIp));
  return codes;
};

test("a client that fails too often is refused, with whatever it comes, and no other is", async () => {
  const { secret } = await api.issue();
  expect(await codesOf(4, "a guess", "192.0.2.1")).toEqual(["NOT_FOUND", "NOT_FOUND", "NOT_FOUND", "RATE_LIMITED"]);
  expect(await codeOf(secret, "192.0.2.1")).toBe("RATE_LIMITED");
  expect(await codeOf(secret, "::ffff:192.0.2.1")).toBe("RATE_LIMITED");
  expect(await codeOf(secret, "192.0.2.2")).toBe("valid");
  expect(await codeOf(secret)).toBe("valid");
});

test("of an IPv6 address its /64 counts", async () => {
  const { secret } = await api.issue();
  for (const host of ["1", "2", "ffff:1"]) await codeOf("a guess", `2001:db8:0:7::${host}`);
  expect(await codeOf(secret, "2001:db8:0:7:1:2:3:4")).toBe("RATE_LIMITED");
  expect(await codeOf(secret, "2001:db8:0:8::1")).toBe("valid");
});

test("without client_ip nobody can be told apart, so nobody is locked out", async () => {
  expect(new Set(await codesOf(10, "a guess"))).toEqual(new Set(["NOT_FOUND"]));
});

test("what is refused for the key's own sake is no guess", async () => {
  const { keyId, secret } = await api.issue();
  await api.call("AdminRevokeApiKey", { key_id: keyId, reason: "REVOCATION_REASON_SUPERSEDED" });
  expect(new Set(await codesOf(10, secret, "192.0.2.3"))).toEqual(new Set(["REVOKED"]));
});

test("a genuine macaroon that is for another audience is no guess", async () => {
  const { secret } = await api.issue();
  const { token } = await api.call("AdminDeriveToken", { credential: secret, algorithm: "TOKEN_ALGORITHM_MACAROON" });
  const forFiles = narrowMacaroon(String(asObject(token).token), ["audience = files"]) as string;
  expect(new Set(await codesOf(10, forFiles, "192.0.2.7"))).toEqual(new Set(["NOT_FOUND"]));
});

test("in a batch too, and the answer says when to come again", async () => {
  const { secret } = await api.issue();
  const requests = ["a", "b", "c", secret].map((credential) => ({ credential, client_ip: "192.0.2.4" }));
  const { results } = await api.call("AdminBatchVerifyApiKeys", { requests });
  expect((results as { error_code: string }[]).map(({ error_code }) => error_code)).toEqual([
    ...Array.from({ length: 3 }, () => "VERIFICATION_ERROR_NOT_FOUND"),
    "VERIFICATION_ERROR_RATE_LIMITED",
  ]);
  const send = httpSender(api.server.url, api.server.adminToken);
  const answer = await send("POST", "/v2alpha1/admin/apiKeys:verify", { body: { credential: secret, client_ip: "192.0.2.4" } });
  expect(answer.json).toMatchObject({ is_valid: false, error_code: "VERIFICATION_ERROR_RATE_LIMITED", error_message: expect.any(String) });
  expect([answer.headers.get("retry-after"), answer.headers.get("ratelimit")]).toEqual(["1200", null]);
});

test("guesses at verify and at derive count together", async () => {
  const { secret } = await api.issue();
  const derive = { client_ip: "192.0.2.5", credential: "a guess" };
  for (let call = 0; call < 2; call += 1) expect(await api.refused("AdminDeriveToken", derive)).toMatchObject({ reason: "KEY_NOT_FOUND" });
  expect(await codesOf(2, "a guess", "192.0.2.5")).toEqual(["NOT_FOUND", "RATE_LIMITED"]);
  expect(await api.refused("AdminDeriveToken", { ...derive, credential: secret })).toMatchObject({ reason: "TOO_MANY_CALLS" });
  await api.call("AdminDeriveToken", { ...derive, credential: secret, client_ip: "192.0.2.6" });
});

test("self-revocation is limited by the caller's address, on every protocol", async () => {
  const { secret } = await api.issue();
  const request = { credential: secret, reason: "REVOCATION_REASON_SUPERSEDED" };
  await api.refused("RevokeApiKey", { ...request, credential: "a guess" }, { token: null });
  await api.call("RevokeApiKey", request, { token: null });
  const refused = await api.refused("RevokeApiKey", request, { token: null });
  expect([refused.code, refused.reason]).toEqual(["RESOURCE_EXHAUSTED", "TOO_MANY_CALLS"]);
  const answer = await httpSender(api.server.url, "")("POST", "/v2alpha1/apiKeys:selfRevoke", { body: request, token: null });
  expect([answer.status, answer.headers.get("retry-after")]).toEqual([429, "1800"]);
});
