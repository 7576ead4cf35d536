import { createRemoteJWKSet, jwtVerify, SignJWT } from "jose";
import { expect, test } from "vitest";
import { readJwkSets } from "../../src/core/token/jwk-set.ts";
import { jwtAlgorithms } from "../../src/core/token/signature.ts";
import { startApi } from "../support/api.ts";
import { httpSender } from "../support/http.ts";
import { base64Uri, jwkSet, privateJwk, publicJwk } from "../support/jwks.ts";

test("anybody can read the public keys at both paths, with JOSE libraries and the official clients", async () => {
  const jwks = await Promise.all(jwtAlgorithms.map(privateJwk));
  await using api = await startApi("grpc", { env: { KEYWRIGHT_SIGNING_KEYS: base64Uri(jwkSet(...jwks)) } });
  const keys = jwks.map((jwk) => ({ ...publicJwk(jwk), alg: jwk.alg, use: "sig" }));
  expect(await api.call("GetJwks", {}, { token: null })).toEqual({ keys, jwks: { keys } });

  const send = httpSender(api.server.url, "");
  for (const path of ["/.well-known/jwks.json", "/v2alpha1/derivedKeys/jwks.json"]) {
    const answer = await send("GET", path, { token: null });
    expect(answer.json).toEqual({ keys, jwks: { keys } });
    expect(answer.headers.get("cache-control")).toBe("public, max-age=300");
    const etag = answer.headers.get("etag") ?? "";
    for (const method of ["GET", "HEAD"]) {
      const again = await send(method, path, { token: null, headers: { "if-none-match": `"other", ${etag}` } });
      expect([again.status, again.text, again.headers.get("etag")]).toEqual([304, "", etag]);
      expect(again.headers.get("cache-control")).toBe("public, max-age=300");
    }
    expect((await send("GET", path, { token: null, headers: { "if-none-match": '"other"' } })).status).toBe(200);
    for (const { d } of jwks) expect(answer.text).not.toContain(d);
    const remote = createRemoteJWKSet(new URL(path, api.server.url));
    for (const jwk of jwks) {
      const { signer } = await readJwkSets([jwkSet(jwk)]);
      const token = await new SignJWT({}).setProtectedHeader({ alg: signer.algorithm, kid: signer.kid }).sign(signer.privateKey);
      await jwtVerify(token, remote);
    }
  }
});

test.each([
  ["a symmetric key", jwkSet({ kty: "oct", k: "aHVudGVyMg" }), "key 1 must not be a symmetric key"],
  ["a public key alone", jwkSet(publicJwk(await privateJwk())), "has no private key"],
])("%s ends the start with an error that names the setting", async (_, text, problem) => {
  const env = { KEYWRIGHT_SIGNING_KEYS: base64Uri(text) };
  await expect(startApi("grpc", { env })).rejects.toThrow(`KEYWRIGHT_SIGNING_KEYS: ${problem}`);
});
