import { generateKeyPairSync } from "node:crypto";
import type { JsonObject } from "@bufbuild/protobuf";
import { calculateJwkThumbprint, createLocalJWKSet, type JSONWebKeySet, type JWK, jwtVerify, SignJWT } from "jose";
import { expect, test } from "vitest";
import { MalformedJwkSetsError, readJwkSets } from "../../../src/core/token/jwk-set.ts";
import { jwtAlgorithms } from "../../../src/core/token/signature.ts";
import { jwkSet, privateJwk, publicJwk } from "../../support/jwks.ts";

const ed25519 = await privateJwk();
const p256 = await privateJwk("ES256");
const rsa = await privateJwk("RS256");

test.each(jwtAlgorithms)("a key of %s signs with that algorithm, and is published without its private half", async (algorithm) => {
  const jwk = { EdDSA: ed25519, ES256: p256, RS256: rsa }[algorithm];
  const { kid: _, alg: __, use: ___, ...bare } = jwk;
  const keys = await readJwkSets([jwkSet(bare)]);
  const kid = await calculateJwkThumbprint(jwk as JWK);
  expect(keys.signer).toMatchObject({ kid, algorithm });
  expect(keys.published).toEqual([{ ...publicJwk(jwk), kid, alg: algorithm, use: "sig" }]);
  const token = await new SignJWT({}).setProtectedHeader({ alg: algorithm, kid }).sign(keys.signer.privateKey);
  await jwtVerify(token, createLocalJWKSet({ keys: keys.published } as unknown as JSONWebKeySet));
});

test("the first private key that is not marked as retired signs; all verify and are published in order", async () => {
  const [first, second, third] = [
    { ...ed25519, kid: "1", retired: true },
    { ...p256, kid: "3" },
    { ...rsa, kid: "4" },
  ];
  const keys = await readJwkSets([jwkSet(first, { ...publicJwk(await privateJwk()), kid: "2" }), jwkSet(second, third)]);
  expect(keys.signer.kid).toBe("3");
  expect([...keys.byKid.keys()]).toEqual(["1", "2", "3", "4"]);
  expect(keys.published.map(({ kid }) => kid)).toEqual(["1", "2", "3", "4"]);
});

test("the version changes only with the keys", async () => {
  const versionOf = async (...keys: JsonObject[]) => (await readJwkSets([jwkSet(...keys)])).version;
  const version = await versionOf(ed25519, p256);
  expect(await versionOf({ ...ed25519, comment: "x" }, p256)).toBe(version);
  expect(await versionOf(ed25519)).not.toBe(version);
});

function weakRsa(modulusLength: number, publicExponent = 65_537): JsonObject {
  return generateKeyPairSync("rsa", { modulusLength, publicExponent }).privateKey.export({ format: "jwk" }) as JsonObject;
}

const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey.export({ format: "jwk" }) as JsonObject;
const otherEd25519 = await privateJwk();
const otherRsa = await privateJwk("RS256");

test.each<[string, string[], string[]]>([
  ["text that is not JSON", ["hunter2"], ["must be a JWK Set"]],
  ["no keys", [jwkSet()], ["must be a JWK Set"]],
  ["a public key alone", [jwkSet(publicJwk(ed25519))], ["has no private key"]],
  ["a second set of public keys", [jwkSet(ed25519), jwkSet(publicJwk(p256))], ["item 2 has no private key"]],
  ["only a retired key", [jwkSet({ ...ed25519, retired: true })], ["has no private key to sign with: all are marked as retired"]],
  ["a symmetric key", [jwkSet(ed25519, { kty: "oct", k: "aHVudGVyMg" })], ["key 2 must not be a symmetric key"]],
  ["another curve", [jwkSet(p384)], ["key 1 must be an Ed25519, P-256 or RSA key"]],
  ["RSA of 1024 bits", [jwkSet(weakRsa(1024))], ["key 1 must have a modulus of 2048"]],
  ["RSA with exponent 3", [jwkSet(weakRsa(2048, 3))], ["key 1 must have a public exponent"]],
  ["another algorithm", [jwkSet({ ...rsa, alg: "PS256" })], ["key 1 alg must be RS256"]],
  ["an algorithm of another type of key", [jwkSet({ ...p256, alg: "RS256" })], ["key 1 alg must be ES256"]],
  ["a key for encryption", [jwkSet({ ...rsa, use: "enc" })], ["key 1 use must be sig"]],
  ["a key that may only verify", [jwkSet({ ...ed25519, key_ops: ["verify"] })], ["key 1 key_ops must include sign"]],
  ["the same kid twice", [jwkSet(ed25519), jwkSet({ ...p256, kid: ed25519.kid as string })], ["has two keys with the same kid"]],
  ["the same key twice", [jwkSet(ed25519, ed25519)], ["has two keys with the same kid"]],
  ["halves of two keys", [jwkSet({ ...ed25519, x: otherEd25519.x as string })], ["key 1 "]],
  ["halves of two RSA keys", [jwkSet({ ...rsa, n: otherRsa.n as string })], ["key 1 has private and public members that do not match"]],
  ["a broken key", [jwkSet({ ...ed25519, d: "hunter2" })], ["key 1 is not a valid JSON Web Key"]],
  ["several faults", [jwkSet({ ...ed25519, use: "enc" }, { ...p256, kid: "" })], ["key 1 use must be sig", "key 2 kid must be"]],
])("%s is refused with its place, and the error quotes nothing", async (_, texts, problems) => {
  const error = await readJwkSets(texts).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(MalformedJwkSetsError);
  expect((error as MalformedJwkSetsError).problems).toEqual(problems.map((problem) => expect.stringContaining(problem)));
  for (const text of ["hunter2", String(ed25519.d), String(rsa.d)]) expect(String(error)).not.toContain(text);
});
