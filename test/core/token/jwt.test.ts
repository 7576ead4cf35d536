import { createHmac, createPrivateKey, type JsonWebKey, sign } from "node:crypto";
import { CompactSign, createLocalJWKSet, type JSONWebKeySet, jwtVerify } from "jose";
import { describe, expect, test } from "vitest";
import { claimsOf } from "../../../src/core/token/claims.ts";
import type { TokenFacts } from "../../../src/core/token/facts.ts";
import { readJwkSets, type TokenKeys } from "../../../src/core/token/jwk-set.ts";
import { mintJwt, readJwt } from "../../../src/core/token/jwt.ts";
import { type JwtAlgorithm, jwtAlgorithms } from "../../../src/core/token/signature.ts";
import { jwkSet, privateJwk } from "../../support/jwks.ts";
import { tokenFacts } from "../../support/token-facts.ts";

const keysOf = Object.fromEntries(
  await Promise.all(jwtAlgorithms.map(async (algorithm) => [algorithm, await readJwkSets([jwkSet(await privateJwk(algorithm))])])),
) as Record<JwtAlgorithm, TokenKeys>;
const jwk = await privateJwk();
const privateKey = createPrivateKey({ key: jwk as JsonWebKey, format: "jwk" });
const keys = await readJwkSets([jwkSet(jwk)]);
const { RS256: rsaKeys } = keysOf;
const { kid } = keys.signer;
const facts = tokenFacts();

describe.each(jwtAlgorithms)("%s", (algorithm) => {
  const itsKeys = keysOf[algorithm];

  test("has the same content for jose and for us", async () => {
    const token = await mintJwt(itsKeys, facts);
    expect(readJwt(itsKeys, token)).toMatchObject({ facts });
    const { payload, protectedHeader } = await jwtVerify(
      token,
      createLocalJWKSet({ keys: itsKeys.published } as unknown as JSONWebKeySet),
      {
        currentDate: new Date(facts.issueTimeMs),
        issuer: facts.issuer,
      },
    );
    expect(payload).toEqual(claimsOf(facts));
    expect(protectedHeader).toEqual({ alg: algorithm, typ: "JWT", kid: itsKeys.signer.kid });
  });

  test("no character of it can be changed", async () => {
    const token = await mintJwt(itsKeys, facts);
    for (let at = 0; at < token.length; at += 7) {
      const changed = `${token.slice(0, at)}${token[at] === "A" ? "B" : "A"}${token.slice(at + 1)}`;
      expect(readJwt(itsKeys, changed), `at ${at}`).toMatch(/^(signature_invalid|invalid_format)$/);
    }
    // The last character of a signature has unused bits.
    const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const readable = [...digits].filter((digit) => typeof readJwt(itsKeys, token.slice(0, -1) + digit) !== "string");
    expect(readable).toEqual([token.at(-1)]);
  });
});

test("an ES256 signature has one form: the one with the lower s", async () => {
  const { ES256: itsKeys } = keysOf;
  const order = BigInt("0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
  // Half of any library's signatures have the higher s.
  for (let round = 0; round < 40; round += 1) {
    const token = await mintJwt(itsKeys, facts);
    const end = token.lastIndexOf(".") + 1;
    const signature = Buffer.from(token.slice(end), "base64url");
    const s = BigInt(`0x${signature.subarray(32).toString("hex")}`);
    expect(s <= order / 2n).toBe(true);
    expect(readJwt(itsKeys, token)).toMatchObject({ facts });
    const other = Buffer.from((order - s).toString(16).padStart(64, "0"), "hex");
    const twin = token.slice(0, end) + Buffer.concat([signature.subarray(0, 32), other]).toString("base64url");
    // Any other verifier accepts both.
    await jwtVerify(twin, itsKeys.signer.publicKey, { currentDate: new Date(facts.issueTimeMs) });
    expect(readJwt(itsKeys, twin)).toBe("signature_invalid");
  }
});

const encode = (part: string | object) => Buffer.from(typeof part === "string" ? part : JSON.stringify(part)).toString("base64url");

/** Signs any header and payload with our key. */
function signed(header: string | object, payload: string | object = claimsOf(facts)): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${sign(null, Buffer.from(input), privateKey).toString("base64url")}`;
}

const header = { alg: "EdDSA", typ: "JWT", kid };

test("the starting point of the following tests is valid", async () => {
  expect(readJwt(keys, signed(header))).toMatchObject({ facts });
  expect(readJwt(keys, signed({ kid, typ: "JWT", alg: "EdDSA" }))).toMatchObject({ facts });
});

describe("attacks of RFC 8725", () => {
  const payload = encode(claimsOf(facts));
  const publicPem = keys.signer.publicKey.export({ type: "spki", format: "pem" });
  const withHmac = (alg: string) => {
    const input = `${encode({ ...header, alg })}.${payload}`;
    return `${input}.${createHmac("sha256", publicPem).update(input).digest("base64url")}`;
  };

  test.each<[string, () => string | Promise<string>]>([
    ["alg none without a signature", () => `${encode({ ...header, alg: "none" })}.${payload}.`],
    ["alg none with our signature", () => signed({ ...header, alg: "none" })],
    ["alg nOnE", () => signed({ ...header, alg: "nOnE" })],
    ["an HMAC with the public key", () => withHmac("HS256")],
    ["an HMAC with the public key that says EdDSA", () => withHmac("EdDSA")],
    ["the algorithm of another key", () => signed({ ...header, alg: "RS256" })],
    ["Ed25519, which is another name of EdDSA", () => signed({ ...header, alg: "Ed25519" })],
    ["no algorithm", () => signed({ typ: "JWT", kid })],
    ["another type", () => signed({ ...header, typ: "at+jwt" })],
    ["no type", () => signed({ alg: "EdDSA", kid })],
    ["no key id", () => signed({ alg: "EdDSA", typ: "JWT" })],
    ["an unknown key", () => signed({ ...header, kid: "other" })],
    ["a key id that is not a text", () => signed({ ...header, kid: [kid] })],
    ["a key id of the prototype", () => signed({ ...header, kid: "__proto__" })],
    ["crit", () => signed({ ...header, crit: ["exp"] })],
    ["crit with an unknown header", () => signed({ ...header, crit: ["b64"], b64: true })],
    ["a key in the header", () => signed({ ...header, jwk: keys.published[0] as object })],
    ["a URL of keys", () => signed({ ...header, jku: "https://example.com/jwks.json" })],
    ["a URL of certificates", () => signed({ ...header, x5u: "https://example.com/cert.pem" })],
    ["certificates in the header", () => signed({ ...header, x5c: ["MIIB"] })],
    ["compression", () => signed({ ...header, zip: "DEF" })],
    [
      "a signature by a key that is not ours",
      async () => mintJwt({ ...(await readJwkSets([jwkSet({ ...(await privateJwk()), kid })])) }, facts),
    ],
    ["an empty signature", () => `${encode(header)}.${payload}.`],
    ["a signature of zeros", () => `${encode(header)}.${payload}.${Buffer.alloc(64).toString("base64url")}`],
    ["a signature that is too long", () => `${signed(header)}AAAA`],
  ])("%s: the signature is invalid", async (_, make) => {
    expect(readJwt(keys, await make())).toBe("signature_invalid");
  });

  const claims = claimsOf(facts);
  const { exp: _, ...withoutExpiry } = claims;
  test.each<[string, () => string | Promise<string>]>([
    ["a duplicate header member", () => signed(`{"alg":"none","alg":"EdDSA","typ":"JWT","kid":"${kid}"}`)],
    ["a duplicate header member, once escaped", () => signed(`{"\\u0061lg":"none","alg":"EdDSA","typ":"JWT","kid":"${kid}"}`)],
    ["a duplicate claim", () => signed(header, `${JSON.stringify(claims).slice(0, -1)},"scope":"admin"}`)],
    ["a duplicate claim inside another", () => signed(header, `${JSON.stringify(claims).slice(0, -1)},"x":[{"a":1,"a":2}]}`)],
    ["an audience, which we never write", () => signed(header, { ...claims, aud: "other" })],
    ["no expiry", () => signed(header, withoutExpiry)],
    ["an expiry that is a text", () => signed(header, { ...claims, exp: "4102444800" })],
    ["an expiry beyond the maximum", () => signed(header, { ...claims, exp: 1e300 })],
    ["an expiry that is not a whole second", () => signed(header, { ...claims, exp: 4102444800.5 })],
    ["a subject that differs from its actor", () => signed(header, { ...claims, sub: "root" })],
    ["scopes that are a list", () => signed(header, { ...claims, scope: ["admin"] })],
    ["a payload that is a list", () => signed(header, "[]")],
    ["a payload that is not JSON", () => signed(header, "hello")],
    ["a payload that is not UTF-8", () => signed(header, Buffer.from([0x7b, 0xff, 0x7d]).toString("latin1"))],
    ["a header that is not JSON", () => signed("alg=none")],
    ["two parts", () => `${encode(header)}.${payload}`],
    ["four parts", () => `${signed(header)}.AAAA`],
    ["base64 that is not base64url", () => `${encode(header)}.${payload}.++//`],
    ["padding", () => `${signed(header)}==`],
    ["white space", () => `${signed(header)}\n`],
    ["more than the maximum size", () => signed(header, { ...claims, x: "x".repeat(50_000) })],
  ])("%s: invalid format", async (_, make) => {
    expect(readJwt(keys, await make())).toBe("invalid_format");
  });

  test("a token of one key does not pass as one of another", async () => {
    const both = { ...keys, byKid: new Map([...keys.byKid, ...rsaKeys.byKid]) };
    const [, body, signature] = (await mintJwt(keys, facts)).split(".");
    expect(readJwt(both, `${encode({ alg: "RS256", typ: "JWT", kid: rsaKeys.signer.kid })}.${body}.${signature}`)).toBe(
      "signature_invalid",
    );
    expect(readJwt(both, `${encode({ alg: "EdDSA", typ: "JWT", kid: rsaKeys.signer.kid })}.${body}.${signature}`)).toBe(
      "signature_invalid",
    );
  });

  test("a JWS of other content with our key is not a token", async () => {
    const jws = new CompactSign(Buffer.from('{"iss":"https://issuer.example"}')).setProtectedHeader({ alg: "EdDSA", typ: "JWT", kid });
    expect(readJwt(keys, await jws.sign(keys.signer.privateKey))).toBe("invalid_format");
  });
});

test("custom claims are read unchanged, whatever their names", async () => {
  const customClaims: TokenFacts["customClaims"] = JSON.parse(
    '{"__proto__":{"a":1},"constructor":[null],"größe":"漢字 🗝","10":1,"2":-0.5}',
  );
  const odd = { ...facts, customClaims, scopes: [], actorId: "", metadata: null, chain: ["01", "02"] };
  const read = readJwt(keys, await mintJwt(keys, odd));
  expect(read).toMatchObject({ facts: { scopes: [], actorId: "", metadata: null, chain: ["01", "02"] } });
  expect(JSON.parse(JSON.stringify((read as { facts: TokenFacts }).facts.customClaims))).toEqual(customClaims);
});
