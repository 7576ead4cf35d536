import { createSecretKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { SignJWT } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { restHttp1 } from "../support/clients/rest.ts";
import { token } from "../support/role-tokens.ts";
import { startServerHere } from "../support/server-here.ts";
import type { RunningServer } from "../support/server-process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** An issuer whose key set is a file. */
interface Issuer {
  readonly issuer: string;
  readonly kid: string;
  readonly keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
}

const audience = "https://keywright.example";
const folder = temporaryFolder();
const [corp, other] = [newIssuer("corp"), newIssuer("other")];
const attacker = generateKeyPairSync("ec", { namedCurve: "P-256" });
let server: RunningServer;

function newIssuer(name: string): Issuer {
  return { issuer: `https://${name}.example`, kid: `${name}-1`, keys: generateKeyPairSync("ec", { namedCurve: "P-256" }) };
}

function entry({ issuer, kid, keys }: Issuer, subject: string): string {
  const file = join(folder.path, kid);
  writeFileSync(file, JSON.stringify({ keys: [{ ...keys.publicKey.export({ format: "jwk" }), kid, alg: "ES256" }] }));
  const rule = `{ when: [{ claim: sub, equals: ${subject} }], roles: [admin] }`;
  const uri = pathToFileURL(file).href;
  return `  - { name: ${kid}, issuer: "${issuer}", audience: "${audience}", jwks_uri: "${uri}", algorithms: [ES256], rules: [${rule}] }\n`;
}

beforeAll(async () => {
  const config = `admin_issuers:\n${entry(corp, "ann")}${entry(other, "bob")}`;
  server = await startServerHere({ config, env: { KEYWRIGHT_ADMIN_TOKEN: token() } });
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  folder.remove();
});

const nowS = () => Math.floor(Date.now() / 1000);

function claims(changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { iss: corp.issuer, aud: audience, sub: "ann", iat: nowS(), exp: nowS() + 300, ...changes };
}

/** A JWT of this header and payload, which may be any text, signed with ES256. */
function signed(header: object, payload: object | string, key: KeyObject): string {
  const part = (value: object | string) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
  const input = `${part(header)}.${part(payload)}`;
  return `${input}.${sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

const own = { alg: "ES256", kid: corp.kid };
const ownKey = corp.keys.privateKey;
const text = (changes: Readonly<Record<string, unknown>> = {}) => JSON.stringify(claims(changes));

async function statusOf(bearer: string): Promise<string> {
  await using client = restHttp1.open(server.url, bearer);
  const reply = await client.call("AdminWhoAmI", {});
  return reply.ok ? String(reply.response.name) : reply.code;
}

test("the genuine tokens are callers", async () => {
  expect(await statusOf(signed(own, claims(), ownKey))).toBe("corp-1:ann");
  const { privateKey } = other.keys;
  expect(await statusOf(signed({ alg: "ES256", kid: other.kid }, claims({ iss: other.issuer, sub: "bob" }), privateKey))).toBe(
    "other-1:bob",
  );
});

const hmac = (secret: Buffer) => new SignJWT(claims()).setProtectedHeader({ alg: "HS256", kid: corp.kid }).sign(createSecretKey(secret));
const jwk = attacker.publicKey.export({ format: "jwk" });
const attacks: Readonly<Record<string, () => string | Promise<string>>> = {
  "HS256 with the public key in PEM as the secret": () => hmac(Buffer.from(corp.keys.publicKey.export({ format: "pem", type: "spki" }))),
  "HS256 with the public key in DER as the secret": () => hmac(corp.keys.publicKey.export({ format: "der", type: "spki" })),
  "alg none": () => `${signed({ alg: "none" }, claims(), ownKey).split(".").slice(0, 2).join(".")}.`,
  "alg in lower case": () => signed({ ...own, alg: "es256" }, claims(), ownKey),
  "alg as a list": () => signed({ ...own, alg: ["ES256"] }, claims(), ownKey),
  "an attacker's key in the header": () => signed({ ...own, jwk, kid: undefined }, claims(), attacker.privateKey),
  "an attacker's key set in the header": () => signed({ ...own, jku: "https://evil.example/jwks" }, claims(), attacker.privateKey),
  "an attacker's certificate in the header": () =>
    signed({ ...own, x5c: ["AAAA"], x5u: "https://evil.example" }, claims(), attacker.privateKey),
  "a key id that is a path": () => signed({ ...own, kid: "../../../../etc/hostname" }, claims(), attacker.privateKey),
  "a key id that is no text": () => signed({ ...own, kid: { toString: corp.kid } }, claims(), attacker.privateKey),
  "a key id of a prototype": () => signed({ ...own, kid: "__proto__" }, claims(), attacker.privateKey),
  "the key of another issuer": () => signed(own, claims(), other.keys.privateKey),
  "the key and the key id of another issuer": () => signed({ alg: "ES256", kid: other.kid }, claims(), other.keys.privateKey),
  "the name of another issuer": () => signed(own, claims({ iss: other.issuer, sub: "bob" }), ownKey),
  "a list of issuers": () => signed(own, claims({ iss: [corp.issuer] }), ownKey),
  "an issuer with a slash": () => signed(own, claims({ iss: `${corp.issuer}/` }), ownKey),
  "an audience that begins with ours": () => signed(own, claims({ aud: `${audience}.evil.example` }), ownKey),
  "no audience": () => signed(own, claims({ aud: undefined }), ownKey),
  "two subjects": () => signed(own, text({ sub: "eve" }).replace("{", '{"sub":"ann",'), ownKey),
  "a subject that breaks lines": () => signed(own, claims({ sub: 'ann\n{"level":"info"}' }), ownKey),
  "an end beyond all numbers": () => signed(own, text().replace(/"exp":\d+/, '"exp":1e999'), ownKey),
  "an end that is a text": () => signed(own, claims({ exp: String(nowS() + 300) }), ownKey),
  "a beginning far ahead that makes its life short": () => signed(own, claims({ iat: nowS() + 86_400, exp: nowS() + 86_700 }), ownKey),
  "JSON that nests deeply": () => signed(own, text().replace("{", `{"x":${"[".repeat(5000)}${"]".repeat(5000)},`), attacker.privateKey),
  "a payload that is a list": () => signed(own, [claims()], ownKey),
  "an empty signature": () => `${signed(own, claims(), ownKey).split(".").slice(0, 2).join(".")}.AA`,
  "a signature of zeros": () =>
    `${signed(own, claims(), ownKey).split(".").slice(0, 2).join(".")}.${Buffer.alloc(64).toString("base64url")}`,
};

test("attacks are UNAUTHENTICATED", async () => {
  // All at once, because some wait until the keys may be fetched again.
  const outcomes = await Promise.all(Object.entries(attacks).map(async ([name, make]) => [name, await statusOf(await make())] as const));
  expect(Object.fromEntries(outcomes)).toEqual(Object.fromEntries(Object.keys(attacks).map((name) => [name, "UNAUTHENTICATED"])));
});

test.each([
  ["of an issuer whose rules do not match, although those of another do", () => signed(own, claims({ sub: "bob" }), ownKey)],
  ["whose claims hide in a prototype", () => signed(own, text({ sub: "eve" }).replace("{", '{"__proto__":{"sub":"ann"},'), ownKey)],
])("a JWT %s is not a caller", async (_, make) => {
  expect(await statusOf(make())).toMatch(/^(PERMISSION_DENIED|UNAUTHENTICATED)$/);
});
