import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createCredentials } from "../../src/core/credential.ts";
import { deriveSubkeys } from "../../src/core/subkeys.ts";
import { mintMacaroon, narrowMacaroon } from "../../src/core/token/macaroon.ts";
import { createUlid } from "../../src/core/ulid.ts";
import { type Api, faults, startApi } from "../support/api.ts";
import { derive } from "../support/derive.ts";
import { tokenFacts } from "../support/token-facts.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.[Symbol.asyncDispose]());

/** Another installation, or another system, which shares no secret with the server. */
const secrets = { current: randomBytes(32).toString("hex"), retired: [] };
const others = createCredentials(secrets, { secret: "kw", public: "kw_pub", retired: [] }, randomBytes);
const macaroonKeys = deriveSubkeys(secrets, "macaroon-root");
const { privateKey } = generateKeyPairSync("ed25519");

function jwtOf(header: JsonObject): string {
  const encode = (part: JsonObject) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const input = `${encode(header)}.${encode({ sub: crypto.randomUUID() })}`;
  return `${input}.${sign(null, Buffer.from(input), privateKey).toString("base64url")}`;
}

const foreign: readonly [name: string, make: () => string, unknownCode: string][] = [
  ["a JWT with a foreign key", () => jwtOf({ alg: "EdDSA", typ: "JWT", kid: "theirs" }), "SIGNATURE_INVALID"],
  ["a JWT without a kid", () => jwtOf({ alg: "HS256", typ: "JWT" }), "SIGNATURE_INVALID"],
  ["a JWT whose kid is a number", () => jwtOf({ alg: "EdDSA", kid: 7 }), "SIGNATURE_INVALID"],
  ["a JWT without a signature", () => `${jwtOf({ alg: "none" }).replace(/[^.]*$/, "")}`, "SIGNATURE_INVALID"],
  ["a text that only looks like a JWT", () => `eyJ4.${crypto.randomUUID()}.AA`, "INVALID_FORMAT"],
  ["a text that begins as our keys do", () => `kw_v1_${crypto.randomUUID()}`, "NOT_FOUND"],
  [
    "a key with our prefix, a ULID and hex",
    () => `kw_v1_${createUlid(Date.now(), randomBytes)}_${randomBytes(16).toString("hex")}`,
    "NOT_FOUND",
  ],
  ["a key with our prefix and a tail like ours", () => `kw_v1_user42_${randomBytes(20).toString("hex")}aZ0aZ0aZ0`, "NOT_FOUND"],
  ["a macaroon", () => mintMacaroon(macaroonKeys[0], tokenFacts({ tokenId: crypto.randomUUID() })), "SIGNATURE_INVALID"],
  ["a text that only looks like a macaroon", () => `mc_v1_${crypto.randomUUID()}`, "INVALID_FORMAT"],
  ["an issued key of another installation", () => others.mint("default", createUlid(Date.now(), randomBytes), "secret"), "NOT_FOUND"],
  ["a public key of another installation", () => others.mint("default", createUlid(Date.now(), randomBytes), "public"), "NOT_FOUND"],
];
const named = { name: "legacy", actor_id: "user_1", scopes: ["read"] };
const errorCode = async (credential: string) =>
  String((await api.verify({ credential })).error_code ?? "valid").replace("VERIFICATION_ERROR_", "");

describe.each(foreign)("%s", (_name, make, unknownCode) => {
  test("is refused as the kind that it looks like until it is imported", async () => {
    expect(await errorCode(make())).toBe(unknownCode);
    const { results } = await api.call("AdminBatchVerifyApiKeys", { requests: [{ credential: make() }] });
    expect(results).toMatchObject([{ error_code: `VERIFICATION_ERROR_${unknownCode}` }]);
  });

  test.each(["raw_key", "raw_key_sha256"])("is a normal key after an import by %s", async (way) => {
    const credential = make();
    const key = way === "raw_key" ? credential : createHash("sha256").update(credential).digest("hex");
    // Unknown, and cached as unknown.
    await errorCode(credential);
    const { key_id } = await api.call("AdminImportApiKey", { ...named, [way]: key });
    expect(await api.verify({ credential })).toMatchObject({ is_valid: true, key_id, scopes: ["read"] });
    const { results } = await api.call("AdminBatchVerifyApiKeys", { requests: [{ credential }, { credential }] });
    expect(results).toMatchObject([{ is_valid: true, key_id }, { is_valid: true }]);
    const { token } = await derive(api, credential);
    expect(await api.verify({ credential: token })).toMatchObject({ is_valid: true, key_id });
    await api.call("RevokeApiKey", { credential, reason: "REVOCATION_REASON_KEY_COMPROMISE" }, { token: null });
    expect(await errorCode(credential)).toBe("REVOKED");
    expect(await errorCode(token)).toBe("REVOKED");
  });

  test("is not that key with one character changed", async () => {
    const credential = make();
    await api.call("AdminImportApiKey", { ...named, raw_key: credential });
    const at = credential.length - 3;
    const changed = credential.slice(0, at) + (credential[at] === "A" ? "B" : "A") + credential.slice(at + 1);
    expect(await errorCode(changed)).not.toBe("valid");
  });
});

describe("credentials of this installation cannot be imported", () => {
  const refused = async (raw_key: string) => faults(await api.refused("AdminImportApiKey", { ...named, raw_key }));
  const onKey = ["INVALID_ARGUMENT", "raw_key"];

  test("issued keys, including damaged ones", async () => {
    const { secret } = await api.issue();
    const { secret: publicKey } = await api.issue({ visibility: "KEY_VISIBILITY_PUBLIC" });
    const last = secret.endsWith("0") ? "1" : "0";
    const cut = [secret.slice(0, -1), secret.slice(0, 40), `${secret}0`, secret.replace(/.$/, "-"), secret.replace("_v1_", "_v1_x")];
    for (const key of [secret, publicKey, secret.slice(0, -1) + last, ...cut]) expect(await refused(key), key).toEqual(onKey);
    const requests = cut.map((raw_key) => ({ ...named, raw_key }));
    const { results } = await api.call("AdminBatchImportApiKeys", { requests: [...requests, { ...named, raw_key: crypto.randomUUID() }] });
    expect(results).toHaveLength(cut.length + 1);
    for (const [index] of cut.entries()) expect(results).toHaveProperty([index, "error_message"], expect.stringMatching(/damaged key/));
  });

  test("JWTs, and texts that name one of our signing keys", async () => {
    const { secret } = await api.issue();
    const { token } = await derive(api, secret);
    const [header, payload] = token.split(".");
    const damaged = [`${header}.${payload}`, header as string, `eyJ4${token.slice(3)}`, `${header}.${payload?.slice(2)}.=`];
    for (const key of [token, `${header}.${payload}.${"A".repeat(86)}`, ...damaged]) expect(await refused(key), key).toEqual(onKey);
  });

  test("macaroons in every text form, as issued or as narrowed by a holder", async () => {
    const { secret } = await api.issue();
    const { token } = await derive(api, secret, { algorithm: "TOKEN_ALGORITHM_MACAROON" });
    const padded = `mc_v1_${Buffer.from(token.slice(6), "base64url").toString("base64")}`;
    const narrowed = [narrowMacaroon(token, ["scope = read"]) as string, narrowMacaroon(token, ["what = ever"]) as string];
    const last = token.endsWith("A") ? "Q" : "A";
    const damaged = [
      token.slice(0, -1) + last,
      token.slice(0, -10),
      `${token}A`,
      `mc_v1_AB${token.slice(9)}`,
      `${token.slice(0, 200)}.${token.slice(201)}`,
    ];
    for (const key of [token, padded, ...narrowed, ...damaged]) expect(await refused(key), key).toEqual(onKey);
  });
});

test("a macaroon verifies in the text forms of all libraries, and each spends the same limit", async () => {
  const { secret } = await api.issue({ rate_limit_policy: { quota: "5", window: "3600s" } });
  const { token } = await derive(api, secret, { algorithm: "TOKEN_ALGORITHM_MACAROON" });
  const padded = Buffer.from(token.slice(6), "base64url").toString("base64");
  const texts = [token.slice(6), padded, padded.replaceAll("=", ""), padded.replaceAll("+", "-").replaceAll("/", "_")];
  for (const text of texts) expect(await errorCode(`mc_v1_${text}`), text).toBe("valid");
  expect(await errorCode(token)).toBe("RATE_LIMITED");
});
