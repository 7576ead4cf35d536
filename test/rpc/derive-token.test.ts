import { createRemoteJWKSet, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { narrowMacaroon } from "../../src/core/token/macaroon.ts";
import { jwtAlgorithms } from "../../src/core/token/signature.ts";
import { type ApiHere, faults, startApi } from "../support/api.ts";
import { derive } from "../support/derive.ts";
import { base64Uri, jwkSet, privateJwk } from "../support/jwks.ts";

const issuer = "https://keys.example";
let api: ApiHere;
beforeAll(async () => {
  api = await startApi("json-http", { env: { KEYWRIGHT_ISSUER: issuer } });
});
afterAll(() => api?.[Symbol.asyncDispose]());

const key = { actor_id: "user_1", scopes: ["read", "write"], metadata: { plan: "gold", limits: [1, null] } };

/** Returns the macaroon as narrowed by its holder. */
function held(token: string, ...caveats: string[]): string {
  return narrowMacaroon(token, caveats) as string;
}

test.each(jwtAlgorithms)("jose checks a JWT of %s offline, with only the URL of the keys", async (algorithm) => {
  const jwk = await privateJwk(algorithm);
  await using own = await startApi("grpc", { env: { KEYWRIGHT_SIGNING_KEYS: base64Uri(jwkSet(jwk)), KEYWRIGHT_ISSUER: issuer } });
  const { token, claims } = await derive(own, (await own.issue(key)).secret);
  const keys = createRemoteJWKSet(new URL("/.well-known/jwks.json", own.server.url));
  const { payload, protectedHeader } = await jwtVerify(token, keys, { issuer, algorithms: [algorithm], typ: "JWT" });
  expect(protectedHeader).toEqual({ alg: algorithm, typ: "JWT", kid: jwk.kid });
  expect(payload).toEqual(claims);
});

test("a JWT contains its key's attributes, expires after an hour, and has its own id", async () => {
  const { keyId, secret } = await api.issue(key);
  const beforeMs = Date.now();
  const [{ token, claims, expireTimeMs, scopes }, other] = [await derive(api, secret), await derive(api, secret)];
  expect(claims).toEqual({
    iss: issuer,
    sub: "user_1",
    jti: expect.stringMatching(/^[0-9A-Z]{26}$/),
    iat: expect.any(Number),
    nbf: claims.iat,
    exp: expireTimeMs / 1000,
    key_id: keyId,
    tenant: "default",
    actor_id: "user_1",
    scope: "read write",
    metadata: key.metadata,
  });
  expect(JSON.parse(Buffer.from(token.split(".")[1] as string, "base64url").toString())).toEqual(claims);
  expect(Number(claims.iat)).toBe(Math.floor(Number(claims.iat)));
  expect(Number(claims.exp) - Number(claims.iat)).toBe(3600);
  expect(Number(claims.iat)).toBeGreaterThanOrEqual(Math.floor(beforeMs / 1000));
  expect(scopes).toEqual(key.scopes);
  expect(other.claims.jti).not.toBe(claims.jti);
});

test("tokens can be derived from an imported key; their subject is the key if it has no actor", async () => {
  const raw_key = "sk_live_4eC39HqLyjWDarjtT1zdp7dc";
  const { key_id } = await api.call("AdminImportApiKey", { raw_key, name: "x", actor_id: "user_1", scopes: ["read"] });
  const { token, claims } = await derive(api, raw_key);
  expect(claims).toMatchObject({ sub: "user_1", key_id, scope: "read" });
  expect(token).not.toContain(raw_key);
  expect((await derive(api, (await api.issue()).secret)).claims).toMatchObject({ sub: expect.stringMatching(/^[0-9A-Z]{26}$/) });
});

test("custom claims are added to the others", async () => {
  const custom_claims = { team: { id: 7 }, role: "viewer" };
  expect((await derive(api, (await api.issue(key)).secret, { custom_claims })).claims).toMatchObject({ ...custom_claims, sub: "user_1" });
});

describe("a token from a token", () => {
  test("names the same key and its chain, and has fewer permissions", async () => {
    const { keyId, secret } = await api.issue(key);
    const first = await derive(api, secret, { ttl: "600s", custom_claims: { role: "viewer" } });
    const second = await derive(api, first.token, { scopes: ["read"], custom_claims: { team: "blue" } });
    const third = await derive(api, second.token, { ttl: "60s", custom_claims: { role: "viewer" } });
    expect(third.claims).toMatchObject({
      key_id: keyId,
      scope: "read",
      role: "viewer",
      team: "blue",
      chain: [first.claims.jti, second.claims.jti],
    });
    expect(second.expireTimeMs).toBe(first.expireTimeMs);
    expect(third.expireTimeMs).toBeLessThan(first.expireTimeMs);
  });

  test("cannot get scopes, time or claims that its parent does not have", async () => {
    const { secret } = await api.issue({ ...key, scopes: ["read", "write"] });
    const { token: credential } = await derive(api, secret, { ttl: "600s", scopes: ["read"], custom_claims: { role: "viewer" } });
    const refused = (request: object) => api.refused("AdminDeriveToken", { credential, ...request });
    expect(faults(await refused({ scopes: ["read", "write"] }))).toEqual(["PERMISSION_DENIED"]);
    expect(faults(await refused({ ttl: "601s" }))).toEqual(["INVALID_ARGUMENT", "ttl"]);
    expect(faults(await refused({ custom_claims: { role: "admin" } }))).toEqual(["PERMISSION_DENIED"]);
  });

  test("has at most eight ancestors", async () => {
    let { token } = await derive(api, (await api.issue(key)).secret);
    for (let count = 0; count < 8; count += 1) ({ token } = await derive(api, token));
    expect(faults(await api.refused("AdminDeriveToken", { credential: token }))).toEqual(["INVALID_ARGUMENT", "credential"]);
  });

  test("needs a key that is active now, and gets the key's current attributes", async () => {
    const { keyId, secret } = await api.issue(key);
    const { token } = await derive(api, secret);
    await api.call("AdminUpdateIssuedApiKey", { issued_api_key: { key_id: keyId, scopes: ["read"] }, update_mask: "scopes" });
    expect((await derive(api, token)).scopes).toEqual(["read"]);
    await api.call("AdminRevokeApiKey", { key_id: keyId, reason: "REVOCATION_REASON_SUPERSEDED" });
    for (const credential of [secret, token]) {
      expect(await api.refused("AdminDeriveToken", { credential })).toMatchObject({
        code: "FAILED_PRECONDITION",
        reason: "KEY_NOT_ACTIVE",
        message: "the credential is revoked",
      });
    }
  });
});

describe("a macaroon", () => {
  const algorithm = "TOKEN_ALGORITHM_MACAROON";

  test("contains what a JWT would, and starts without caveats", async () => {
    const { keyId, secret } = await api.issue(key);
    const { token, claims, scopes } = await derive(api, secret, { algorithm, custom_claims: { team: "blue" } });
    expect(token).toMatch(/^mc_v1_[\w-]+$/);
    expect(claims).toMatchObject({ iss: issuer, sub: "user_1", key_id: keyId, scope: "read write", team: "blue", caveats: [] });
    expect(scopes).toEqual(key.scopes);
  });

  test("can be derived to a JWT and back, and keeps its narrowing", async () => {
    const { secret } = await api.issue(key);
    const { token } = await derive(api, secret, { algorithm, ttl: "600s" });
    const endMs = Math.floor(Date.now() / 1000) * 1000 + 60_000;
    const narrowed = held(token, "scope = read write admin", "scope = read", `time < ${new Date(endMs).toISOString()}`);
    const jwt = await derive(api, narrowed);
    expect(jwt).toMatchObject({ scopes: ["read"], expireTimeMs: endMs });
    const again = await derive(api, jwt.token, { algorithm });
    expect(again).toMatchObject({ scopes: ["read"], expireTimeMs: endMs });
    expect(again.claims.chain).toHaveLength(2);
    expect(faults(await api.refused("AdminDeriveToken", { credential: narrowed, scopes: ["write"] }))).toEqual(["PERMISSION_DENIED"]);
  });

  test("that is bound to clients or audiences cannot be derived to a JWT, and derived macaroons have the same binding", async () => {
    const { secret } = await api.issue(key);
    const { token } = await derive(api, secret, { algorithm });
    const bound = held(token, "ip in 10.0.0.0/8", "ip in 10.1.0.0/16 10.2.0.0/16", "audience = files");
    const from = { credential: bound, client_ip: "10.1.2.3" };
    expect(faults(await api.refused("AdminDeriveToken", from))).toEqual(["INVALID_ARGUMENT", "algorithm"]);
    expect(faults(await api.refused("AdminDeriveToken", { credential: bound, algorithm }))).toEqual(["PERMISSION_DENIED"]);
    const child = await derive(api, bound, { algorithm, client_ip: "10.1.2.3" });
    expect(child.claims.caveats).toEqual(["ip in 10.0.0.0/8", "ip in 10.1.0.0/16 10.2.0.0/16", "audience = files"]);
    const outcome = async (client_ip: string, audience: string) =>
      (await api.verify({ credential: child.token, client_ip, audience })).error_code ?? "valid";
    expect(await outcome("10.2.0.1", "files")).toBe("valid");
    expect(await outcome("10.3.0.1", "files")).toBe("VERIFICATION_ERROR_IP_NOT_ALLOWED");
    expect(await outcome("10.2.0.1", "other")).toBe("VERIFICATION_ERROR_NOT_FOUND");
    expect(await outcome("10.2.0.1", "")).toBe("VERIFICATION_ERROR_NOT_FOUND");
  });

  test("that would be too long is refused", async () => {
    const scopes = Array.from({ length: 100 }, (_, index) => `${index}:`.padEnd(256, "x"));
    const { secret } = await api.issue({ scopes });
    const { token } = await derive(api, secret, { algorithm });
    const credential = held(token, `audience = ${"x".repeat(22_000)}`);
    await derive(api, credential, { algorithm });
    const custom_claims = { x: "x".repeat(4000) };
    expect(faults(await api.refused("AdminDeriveToken", { credential, algorithm, custom_claims }))).toEqual([
      "INVALID_ARGUMENT",
      "algorithm",
    ]);
  });
});

describe("expiry", () => {
  test("is that of the key if the key has less than an hour left", async () => {
    const { secret, key: resource } = await api.issue({ ...key, ttl: "100s" });
    const { expireTimeMs } = await derive(api, secret);
    const keyExpireTimeMs = Date.parse(String(resource.expire_time));
    expect(expireTimeMs).toBeLessThanOrEqual(keyExpireTimeMs);
    expect(expireTimeMs).toBeGreaterThan(keyExpireTimeMs - 1000);
  });

  test("beyond that of the key is refused", async () => {
    const { secret } = await api.issue({ ...key, ttl: "100s" });
    expect(faults(await api.refused("AdminDeriveToken", { credential: secret, ttl: "101s" }))).toEqual(["INVALID_ARGUMENT", "ttl"]);
  });

  test("in the past: nothing can be derived from an expired key or token", async () => {
    const { secret } = await api.issue({ ...key, ttl: "1s" });
    const { token } = await derive(api, (await api.issue(key)).secret, { ttl: "1s" });
    api.pass(2050);
    for (const credential of [secret, token]) {
      expect(await api.refused("AdminDeriveToken", { credential })).toMatchObject({
        reason: "KEY_NOT_ACTIVE",
        message: "the credential is expired",
      });
    }
  });
});

describe("derivation refuses", () => {
  const reserved = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "scope",
    "key_id",
    "actor_id",
    "metadata",
    "tenant",
    "chain",
    "key_first_revision",
  ];
  test.each(reserved)("the claim %s", async (name) => {
    const { secret } = await api.issue(key);
    const refusal = await api.refused("AdminDeriveToken", { credential: secret, custom_claims: { [name]: "x" } });
    expect(faults(refusal)).toEqual(["INVALID_ARGUMENT", "custom_claims"]);
    expect(refusal.message).toContain(name);
  });

  // Upper case, the dotless i, the Kelvin sign, the long s; Unicode white space; invisible characters; wide letters.
  const disguised = ["ISS", "Sub", "\u0131ss", "\u212aey_id", "i\u017fs", " exp", "iat\u00a0", "\u2003nbf\u2028", "\u0085jti", "\ufeffaud"];
  test.each([...disguised, "\tscope\n", "\u200bmetadata", "Tenant\u3000", "\uff49\uff53\uff53", "KEY_First_Revision"])(
    "the claim %j, which a reader could treat as a reserved one",
    async (name) => {
      const { secret } = await api.issue(key);
      const refusal = await api.refused("AdminDeriveToken", { credential: secret, custom_claims: { [name]: "x" } });
      expect(faults(refusal)).toEqual(["INVALID_ARGUMENT", "custom_claims"]);
    },
  );

  test("no claim whose name only contains a reserved one", async () => {
    const { secret } = await api.issue(key);
    const custom_claims = { issuer: "x", "my exp": 1, sub_id: "y", "key id": "z" };
    expect((await derive(api, secret, { custom_claims })).claims).toMatchObject(custom_claims);
  });

  test("custom claims of more than 4096 bytes, also together with those of the parent", async () => {
    const { secret } = await api.issue(key);
    const tooMuch = { credential: secret, custom_claims: { x: "x".repeat(4090) } };
    expect(faults(await api.refused("AdminDeriveToken", tooMuch))).toEqual(["INVALID_ARGUMENT", "custom_claims"]);
    const { token } = await derive(api, secret, { custom_claims: { x: "x".repeat(4080) } });
    const more = { credential: token, custom_claims: { y: "y".repeat(20) } };
    expect(faults(await api.refused("AdminDeriveToken", more))).toEqual(["INVALID_ARGUMENT", "custom_claims"]);
  });

  test("a scope that the key does not have", async () => {
    const { secret } = await api.issue(key);
    const refusal = await api.refused("AdminDeriveToken", { credential: secret, scopes: ["read", "admin"] });
    expect(faults(refusal)).toEqual(["PERMISSION_DENIED"]);
    expect(refusal.message).toBe("scopes[1]: the credential does not have this scope");
  });

  test("an address that the key does not allow", async () => {
    const { secret } = await api.issue({ ...key, ip_restriction: { allowed_cidrs: ["10.0.0.0/8"] } });
    expect(faults(await api.refused("AdminDeriveToken", { credential: secret }))).toEqual(["PERMISSION_DENIED"]);
    const { token } = await derive(api, secret, { client_ip: "10.0.0.1" });
    // As in the contract: the token itself is not bound to addresses.
    expect(await api.verify({ credential: token, client_ip: "192.0.2.1" })).toMatchObject({ is_valid: true });
    await derive(api, token, { client_ip: "192.0.2.1" });
  });

  test.each([
    ["nobody's", "sk_nobodys", "KEY_NOT_FOUND"],
    ["a forged key", `kw_v1_01KAS4D9N4XJ8M2V6T0QZ3R7YB_${"a".repeat(49)}`, "KEY_NOT_FOUND"],
    ["a token that is signed by another issuer", "eyJhbGciOiJub25lIn0.e30.", "KEY_NOT_FOUND"],
    ["not a credential", " ", "INVALID_REQUEST"],
  ])("%s as the credential", async (_, credential, reason) => {
    expect(await api.refused("AdminDeriveToken", { credential })).toMatchObject({ reason });
  });
});
