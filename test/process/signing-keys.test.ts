import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Api, apiOf, startApi } from "../support/api.ts";
import { selfSigned } from "../support/certificates.ts";
import { derive } from "../support/derive.ts";
import { jwkSet, privateJwk, publicJwk } from "../support/jwks.ts";
import { startServer } from "../support/server-process.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "keywright-signing-"));
});
afterAll(() => rm(folder, { recursive: true }));

const [older, newer] = [await privateJwk(), await privateJwk("ES256")];
const kidOf = (token: string) => decodeProtectedHeader(token).kid;
const verdictOf = async (api: Api, credential: string) => (await api.verify({ credential })).error_code ?? "valid";

test("signing keys are rotated while the server runs, and tokens end with the key that signed them", async () => {
  const file = join(folder, "signing-keys.json");
  await writeFile(file, jwkSet(older));
  const env = { KEYWRIGHT_SIGNING_KEYS: pathToFileURL(file).href, KEYWRIGHT_SIGNING_KEYS_REFRESH: "1s" };
  await using api = await startApi("json-http", { env });
  const jwks = createRemoteJWKSet(new URL("/.well-known/jwks.json", api.server.url), { cooldownDuration: 0 });
  const published = async () => ((await api.call("GetJwks", {}, { token: null })).keys as { kid: string }[]).map(({ kid }) => kid);
  const { secret } = await api.issue({ scopes: ["read"] });
  const { token: oldToken } = await derive(api, secret);
  expect(kidOf(oldToken)).toBe(older.kid);

  // As docs/operations.md describes: the new key is added after the old one, then moved before it, then kept alone.
  await writeFile(file, jwkSet(older, newer));
  await expect.poll(published, { timeout: 5000 }).toEqual([older.kid, newer.kid]);
  expect(kidOf((await derive(api, secret)).token)).toBe(older.kid);

  await writeFile(file, jwkSet({ ...older, retired: true }, newer));
  await expect.poll(async () => kidOf((await derive(api, secret)).token), { timeout: 5000 }).toBe(newer.kid);
  const { token: newToken } = await derive(api, secret);
  for (const token of [oldToken, newToken]) {
    expect(await verdictOf(api, token)).toBe("valid");
    await jwtVerify(token, jwks);
  }

  await writeFile(file, jwkSet(newer, publicJwk(older)));
  await expect.poll(published, { timeout: 5000 }).toEqual([newer.kid, older.kid]);
  expect(await verdictOf(api, oldToken)).toBe("valid");

  await writeFile(file, jwkSet(newer));
  await expect.poll(() => verdictOf(api, oldToken), { timeout: 5000 }).toBe("VERIFICATION_ERROR_SIGNATURE_INVALID");
  expect(await verdictOf(api, newToken)).toBe("valid");
  expect(await published()).toEqual([newer.kid]);
  for (const { d } of [older, newer]) expect(api.server.output()).not.toContain(d);
});

test("an https:// set comes from a server with a certificate, at a private address only if that is allowed, and its keys are kept when it is gone", async () => {
  const certificate = selfSigned("localhost");
  const caFile = join(folder, "ca.pem");
  await writeFile(caFile, certificate.cert);
  const origin = createServer(certificate, (_request, response) => response.end(jwkSet(older))).listen(0, "127.0.0.1");
  await new Promise((listening) => origin.once("listening", listening));
  const env = {
    NODE_EXTRA_CA_CERTS: caFile,
    KEYWRIGHT_SIGNING_KEYS: `https://localhost:${(origin.address() as AddressInfo).port}/keys`,
    KEYWRIGHT_SIGNING_KEYS_REFRESH: "1s",
  };
  await expect(startServer({ env })).rejects.toThrow(
    /KEYWRIGHT_SIGNING_KEYS: cannot be read: localhost:\d+: its host is a private, loopback or link-local address/,
  );

  await using api = apiOf(await startServer({ env: { ...env, KEYWRIGHT_SIGNING_KEYS_PRIVATE_ADDRESSES: "allow" } }), "json-http");
  origin.closeAllConnections();
  await new Promise((closed) => origin.close(closed));
  await expect.poll(() => api.server.output(), { timeout: 5000 }).toContain("its last keys are kept");
  const { token } = await derive(api, (await api.issue()).secret);
  expect(kidOf(token)).toBe(older.kid);
  expect(await verdictOf(api, token)).toBe("valid");
});
