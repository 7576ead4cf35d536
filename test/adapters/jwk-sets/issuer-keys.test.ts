import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { expect, test } from "vitest";
import { createIssuerKeys } from "../../../src/adapters/jwk-sets/issuer-keys.ts";
import { createJwtCallers } from "../../../src/rpc/admission/jwt-callers.ts";

const issuer = "https://issuer.example";
const audience = "keywright";

test("while too many tokens wait for the keys of their issuer, further ones are told to try again, and none is invalid", async () => {
  const held: ServerResponse[] = [];
  const server = createServer((_request, response) => void held.push(response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const jwksUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const keys = createIssuerKeys({
    ...{ name: "corp", issuer, jwksUri, allowsPrivateAddresses: true },
    ...{ monotonicMs: () => performance.now(), log: { warn: () => {} } },
  });
  const rules = [
    { when: [{ claim: "sub", test: "equals" as const, values: ["tool"] }], roles: ["verifier"], tenants: null, scopeCeiling: null },
  ];
  const limits = { audience: [audience], algorithms: ["ES256"], maxLifeMs: 3_600_000 };
  const callers = createJwtCallers([{ name: "corp", issuer, ...limits, rules, keys }], Date.now);

  const header = { alg: "ES256", kid: "new" };
  const claims = new SignJWT({}).setIssuer(issuer).setAudience(audience).setSubject("tool");
  const token = await claims.setIssuedAt().setExpirationTime("5m").setProtectedHeader(header).sign(privateKey);
  const waiting = Array.from({ length: 1000 }, (_, index) => callers.callerOf(token, `digest ${index}`));
  expect(await callers.callerOf(token, "one more")).toBe("unavailable");

  await expect.poll(() => held.length).toBe(1);
  held[0]?.end(JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: "new" }] }));
  for (const caller of await Promise.all(waiting)) expect(caller).toMatchObject({ name: "corp:tool", roles: ["verifier"] });
  expect(await callers.callerOf(token, "one more")).toMatchObject({ name: "corp:tool" });
  server.close();
});
