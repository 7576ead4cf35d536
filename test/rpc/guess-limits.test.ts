import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createCredentials } from "../../src/core/credential.ts";
import { narrowMacaroon } from "../../src/core/token/macaroon.ts";
import { createUlid } from "../../src/core/ulid.ts";
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

const importKey = async (raw_key: string) => {
  await api.call("AdminImportApiKey", { raw_key, name: "x", actor_id: "importer" });
  return raw_key;
};
const superseded = { reason: "REVOCATION_REASON_SUPERSEDED" };
const deriveFrom = async (credential: string, algorithm: string) =>
  String(asObject((await api.call("AdminDeriveToken", { credential, algorithm: `TOKEN_ALGORITHM_${algorithm}` })).token).token);
const forgedFrom = (secret: string) => `${secret.slice(0, -7)}${secret.at(-7) === "0" ? "1" : "0"}${secret.slice(-6)}`;
const unsigned = (token: string) => `${token.slice(0, -10)}${token.at(-10) === "A" ? "B" : "A"}${token.slice(-9)}`;

test("only a client that guesses too often is refused", async () => {
  const imported = await importKey("imported by somebody");
  expect(await codesOf(4, "a guess", "192.0.2.1")).toEqual(["NOT_FOUND", "NOT_FOUND", "NOT_FOUND", "RATE_LIMITED"]);
  for (const clientIp of ["192.0.2.1", "::ffff:192.0.2.1", "::FFFF:c000:0201"]) {
    expect(await codeOf(imported, clientIp), clientIp).toBe("RATE_LIMITED");
  }
  expect(await codeOf(imported, "192.0.2.2")).toBe("valid");
  expect(await codeOf(imported)).toBe("valid");
});

test("a valid tag or signature is never refused because of other clients' guesses from the same address", async () => {
  const { keyId, secret } = await api.issue({ scopes: ["read"] });
  const jwt = await deriveFrom(secret, "JWT");
  const macaroon = await deriveFrom(secret, "MACAROON");
  await codesOf(3, "a guess", "192.0.2.20");
  for (const genuine of [secret, jwt, macaroon]) {
    expect(await codeOf(genuine, "192.0.2.20")).toBe("valid");
    for (const changed of [forgedFrom(secret), unsigned(jwt), unsigned(macaroon)]) {
      expect(await codeOf(changed, "192.0.2.20")).toBe("RATE_LIMITED");
    }
  }
  await api.call("AdminDeriveToken", { credential: secret, client_ip: "192.0.2.20" });
  await api.call("AdminDeriveToken", { credential: jwt, client_ip: "192.0.2.20" });
  const requests = ["a guess", secret, macaroon, "imported by nobody"].map((credential) => ({ credential, client_ip: "192.0.2.20" }));
  const { results } = await api.call("AdminBatchVerifyApiKeys", { requests });
  expect((results as { error_code?: string }[]).map(({ error_code }) => error_code)).toEqual([
    "VERIFICATION_ERROR_RATE_LIMITED",
    undefined,
    undefined,
    "VERIFICATION_ERROR_RATE_LIMITED",
  ]);
  await api.call("AdminRevokeApiKey", { key_id: keyId, reason: "REVOCATION_REASON_SUPERSEDED" });
  for (const genuine of [secret, jwt, macaroon]) expect(await codeOf(genuine, "192.0.2.20")).toBe("REVOKED");
});

test("forged keys and invalid signatures are guesses, over verify, batch and derive", async () => {
  const { secret } = await api.issue();
  const guesses = [forgedFrom(secret), unsigned(await deriveFrom(secret, "JWT")), unsigned(await deriveFrom(secret, "MACAROON"))];
  for (const [index, guess] of guesses.entries()) {
    expect(await codesOf(4, guess, `192.0.2.3${index}`)).toContain("RATE_LIMITED");
    const derive = { credential: guess, client_ip: `192.0.2.4${index}` };
    for (let call = 0; call < 3; call += 1)
      expect(await api.refused("AdminDeriveToken", derive)).toMatchObject({ reason: "KEY_NOT_FOUND" });
    expect(await api.refused("AdminDeriveToken", derive)).toMatchObject({ reason: "TOO_MANY_CALLS" });
  }
});

/** Credentials of another installation, or of none: each can be an imported key here, whatever it looks like. */
const others = createCredentials({ current: "o".repeat(32), retired: [] }, { secret: "kw", public: "kw_pub", retired: [] }, randomBytes);
const lookalikes: readonly [name: string, make: () => string][] = [
  ["an issued key", () => others.mint("default", createUlid(Date.now(), randomBytes), "secret")],
  ["a JWT", () => `eyJhbGciOiJub25lIn0.${randomBytes(16).toString("base64url")}.AA`],
  ["a macaroon", () => `mc_v1_${randomBytes(16).toString("hex")}!`],
];

test.each(lookalikes)("a credential that looks like %s of another installation is a guess until it is imported", async (name, make) => {
  const address = (index: number) => `2001:db8:${index}:${lookalikes.findIndex(([other]) => other === name)}::1`;
  for (let call = 0; call < 3; call += 1) expect(await codeOf(make(), address(1))).not.toBe("RATE_LIMITED");
  expect(await codeOf(make(), address(1))).toBe("RATE_LIMITED");

  const requests = Array.from({ length: 4 }, () => ({ credential: make(), client_ip: address(2) }));
  const { results } = await api.call("AdminBatchVerifyApiKeys", { requests });
  const isLimited = (results as { error_code: string }[]).map(({ error_code }) => error_code === "VERIFICATION_ERROR_RATE_LIMITED");
  expect(isLimited).toEqual([false, false, false, true]);

  const derive = () => api.refused("AdminDeriveToken", { credential: make(), client_ip: address(3) });
  for (let call = 0; call < 3; call += 1) expect((await derive()).reason).not.toBe("TOO_MANY_CALLS");
  expect((await derive()).reason).toBe("TOO_MANY_CALLS");

  const imported = await importKey(make());
  expect(await codeOf(imported, address(4))).toBe("valid");
  expect(await codeOf(imported, address(1))).toBe("RATE_LIMITED");
});

test("at self-revocation a credential that looks like one of another installation counts by address", async () => {
  const env = { KEYWRIGHT_SELF_REVOKE_LIMIT: "2/1h", KEYWRIGHT_TRUSTED_PROXIES: "127.0.0.0/8" };
  await using behind = await startApi("json-http", { env });
  const { secret } = await behind.issue();
  for (const [index, [name, make]] of lookalikes.entries()) {
    const options = { token: null, headers: { "x-forwarded-for": `198.51.100.${index}` } };
    const revoke = () => behind.refused("RevokeApiKey", { ...superseded, credential: make() }, options);
    for (let call = 0; call < 2; call += 1) expect((await revoke()).reason, name).not.toBe("TOO_MANY_CALLS");
    expect((await revoke()).reason, name).toBe("TOO_MANY_CALLS");
  }
  const options = { token: null, headers: { "x-forwarded-for": "198.51.100.0" } };
  await behind.call("RevokeApiKey", { ...superseded, credential: secret }, options);
});

test("a refusal at self-revocation names the exceeded limit", async () => {
  const { secret } = await api.issue();
  const request = { ...superseded, credential: secret };
  for (let call = 0; call < 2; call += 1) await api.call("RevokeApiKey", request, { token: null });
  expect((await api.refused("RevokeApiKey", request, { token: null })).message).toContain("with this key");
});

test("a text that cannot be a key is not a guess", async () => {
  const { secret } = await api.issue();
  const jwt = await deriveFrom(secret, "JWT");
  const noKeys = [` ${secret}`, `${secret}\n`, `\t${jwt}`, "x".repeat(5000), "\u0000"];
  for (const noKey of noKeys) expect(new Set(await codesOf(5, noKey, "192.0.2.8"))).toEqual(new Set(["INVALID_FORMAT"]));
  const requests = ["", ...noKeys, "", ""].map((credential) => ({ credential, client_ip: "192.0.2.8" }));
  await api.call("AdminBatchVerifyApiKeys", { requests });
  for (const noKey of noKeys) await api.refused("AdminDeriveToken", { credential: noKey, client_ip: "192.0.2.8" });
  expect(await codeOf("a guess", "192.0.2.8")).toBe("NOT_FOUND");
  expect(await codesOf(3, "a guess", "192.0.2.8")).toContain("RATE_LIMITED");
  // Nor is it refused because of others' guesses: it causes no look-up.
  for (const noKey of noKeys) expect(await codeOf(noKey, "192.0.2.8")).toBe("INVALID_FORMAT");
});

test("an IPv6 address counts by its /64, in any notation", async () => {
  const imported = await importKey("imported for IPv6");
  for (const client of ["2001:db8:0:7::1", "2001:DB8::7:0:0:0:2", "2001:0db8:0000:0007::192.0.2.1"]) await codeOf("a guess", client);
  expect(await codeOf(imported, "2001:db8:0:7:1:2:3:4")).toBe("RATE_LIMITED");
  expect(await codeOf(imported, "2001:db8:0:8::1")).toBe("valid");
});

test("without client_ip clients cannot be distinguished, so nobody is locked out", async () => {
  expect(new Set(await codesOf(10, "a guess"))).toEqual(new Set(["NOT_FOUND"]));
});

test("a refusal because of the key's own state is not a guess", async () => {
  const { keyId, secret } = await api.issue();
  await api.call("AdminRevokeApiKey", { key_id: keyId, reason: "REVOCATION_REASON_SUPERSEDED" });
  expect(new Set(await codesOf(10, secret, "192.0.2.3"))).toEqual(new Set(["REVOKED"]));
});

test("a genuine macaroon for another audience is not a guess", async () => {
  const { secret } = await api.issue();
  const { token } = await api.call("AdminDeriveToken", { credential: secret, algorithm: "TOKEN_ALGORITHM_MACAROON" });
  const forFiles = narrowMacaroon(String(asObject(token).token), ["audience = files"]) as string;
  expect(new Set(await codesOf(10, forFiles, "192.0.2.7"))).toEqual(new Set(["NOT_FOUND"]));
});

test("limits apply in a batch too, and the response says when to retry", async () => {
  const imported = await importKey("imported for a batch");
  const requests = ["a", "b", "c", imported].map((credential) => ({ credential, client_ip: "192.0.2.4" }));
  const { results } = await api.call("AdminBatchVerifyApiKeys", { requests });
  expect((results as { error_code: string }[]).map(({ error_code }) => error_code)).toEqual([
    ...Array.from({ length: 3 }, () => "VERIFICATION_ERROR_NOT_FOUND"),
    "VERIFICATION_ERROR_RATE_LIMITED",
  ]);
  const send = httpSender(api.server.url, api.server.adminToken);
  const answer = await send("POST", "/v2alpha1/admin/apiKeys:verify", { body: { credential: imported, client_ip: "192.0.2.4" } });
  expect(answer.json).toMatchObject({ is_valid: false, error_code: "VERIFICATION_ERROR_RATE_LIMITED", error_message: expect.any(String) });
  expect([answer.headers.get("retry-after"), answer.headers.get("ratelimit")]).toEqual(["1200", null]);
});

test("guesses at verify and derive count together", async () => {
  const secret = await importKey("imported to derive from");
  const derive = { client_ip: "192.0.2.5", credential: "a guess" };
  for (let call = 0; call < 2; call += 1) expect(await api.refused("AdminDeriveToken", derive)).toMatchObject({ reason: "KEY_NOT_FOUND" });
  expect(await codesOf(2, "a guess", "192.0.2.5")).toEqual(["NOT_FOUND", "RATE_LIMITED"]);
  expect(await api.refused("AdminDeriveToken", { ...derive, credential: secret })).toMatchObject({ reason: "TOO_MANY_CALLS" });
  await api.call("AdminDeriveToken", { ...derive, credential: secret, client_ip: "192.0.2.6" });
});

test("guesses at self-revocation are limited by the caller's address, on every protocol", async () => {
  const imported = await importKey("imported to be revoked");
  const { secret } = await api.issue();
  await api.refused("RevokeApiKey", { ...superseded, credential: "a guess" }, { token: null });
  await api.refused("RevokeApiKey", { ...superseded, credential: forgedFrom(secret) }, { token: null });
  const request = { ...superseded, credential: imported };
  const refused = await api.refused("RevokeApiKey", request, { token: null });
  expect([refused.code, refused.reason]).toEqual(["RESOURCE_EXHAUSTED", "TOO_MANY_CALLS"]);
  const answer = await httpSender(api.server.url, "")("POST", "/v2alpha1/apiKeys:selfRevoke", { body: request, token: null });
  expect([answer.status, answer.headers.get("retry-after")]).toEqual([429, "1800"]);
  expect(await codeOf(imported)).toBe("valid");
});

test("guesses at self-revocation do not prevent the revocation of a leaked key, and one key cannot be revoked without limit", async () => {
  const [mine, another] = [await api.issue(), await api.issue()];
  for (let call = 0; call < 3; call += 1) await api.refused("RevokeApiKey", { ...superseded, credential: "a guess" }, { token: null });
  for (let call = 0; call < 3; call += 1) {
    expect(await api.refused("RevokeApiKey", { ...superseded, credential: ` ${mine.secret}` }, { token: null })).toMatchObject({
      reason: "KEY_NOT_FOUND",
    });
  }
  for (let call = 0; call < 2; call += 1) await api.call("RevokeApiKey", { ...superseded, credential: mine.secret }, { token: null });
  expect(await api.refused("RevokeApiKey", { ...superseded, credential: mine.secret }, { token: null })).toMatchObject({
    reason: "TOO_MANY_CALLS",
  });
  await api.call("RevokeApiKey", { ...superseded, credential: another.secret }, { token: null });
  expect([await codeOf(mine.secret), await codeOf(another.secret)]).toEqual(["REVOKED", "REVOKED"]);
});

test("clients with an unknown address share one separate count", async () => {
  await using behind = await startApi("json-http", {
    env: { KEYWRIGHT_SELF_REVOKE_LIMIT: "2/1h", KEYWRIGHT_TRUSTED_PROXIES: "127.0.0.0/8" },
  });
  const guess = async (forwardedFor: string) =>
    (
      await behind.refused(
        "RevokeApiKey",
        { ...superseded, credential: "a guess" },
        { token: null, headers: { "x-forwarded-for": forwardedFor } },
      )
    ).reason;
  expect([await guess("unknown"), await guess("10.1"), await guess("fe80::1%eth0")]).toEqual([
    ...["KEY_NOT_FOUND", "KEY_NOT_FOUND", "TOO_MANY_CALLS"],
  ]);
  expect(await guess("198.51.100.9")).toBe("KEY_NOT_FOUND");
  expect(await guess("198.51.100.9:1")).toBe("KEY_NOT_FOUND");
  expect(await guess("[::ffff:198.51.100.9]:2")).toBe("TOO_MANY_CALLS");
});

test("guesses sent at the same time get no more answers than the limit allows, over verify and derive", async () => {
  const imported = await importKey("imported beside guesses");
  const guesses = [...Array.from({ length: 20 }, (_, index) => `a guess beside others ${index}`), imported];
  const codes = await Promise.all(guesses.map((guess) => codeOf(guess, "192.0.2.50")));
  expect(codes.filter((code) => code !== "RATE_LIMITED")).toEqual(["NOT_FOUND", "NOT_FOUND", "NOT_FOUND"]);
  const derive = (credential: string) => api.refused("AdminDeriveToken", { credential, client_ip: "192.0.2.51" });
  const reasons = (await Promise.all(guesses.map(derive))).map(({ reason }) => reason);
  expect(reasons.filter((reason) => reason !== "TOO_MANY_CALLS")).toEqual(["KEY_NOT_FOUND", "KEY_NOT_FOUND", "KEY_NOT_FOUND"]);
});
