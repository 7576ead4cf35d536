import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { expect, test } from "vitest";
import type { IssuerKeySet } from "../../src/ports/issuer-keys.ts";
import { createJwtCallers } from "../../src/rpc/admission/jwt-callers.ts";
import { clockSkewMs } from "../../src/rpc/admission/jwt-signature.ts";

const { publicKey, privateKey } = await generateKeyPair("ES256");
const jwk = { ...(await exportJWK(publicKey)), kid: "1", alg: "ES256" };
const startS = 1_800_000_000;
const lifeS = 300;
const token = await new SignJWT({ iss: "https://issuer.example", aud: "keywright", sub: "tool", iat: startS, exp: startS + lifeS })
  .setProtectedHeader({ alg: "ES256", kid: "1" })
  .sign(privateKey);

/** An issuer whose keys and clock the test sets. */
function world() {
  const keySet: IssuerKeySet = { keys: [jwk], kids: new Set(["1"]) };
  const state = { nowMs: startS * 1000, keySet };
  const fetched = async () => state.keySet;
  const keys = { current: () => state.keySet, fetchNewer: fetched, fetchUnlessRecent: fetched, refresh: () => {} };
  const when = [{ claim: "sub", test: "equals" as const, values: ["tool"] }];
  const rules = [{ when, roles: ["verifier"], tenants: null, scopeCeiling: null }];
  const limits = { audience: ["keywright"], algorithms: ["ES256"], maxLifeMs: 3_600_000 };
  const issuer = { name: "corp", issuer: "https://issuer.example", ...limits, rules, keys };
  const callers = createJwtCallers([issuer], () => state.nowMs);
  return { state, outcome: () => callers.callerOf(token, "digest") };
}

test("a JWT that was verified is remembered, and refused from its expiry and the clock skew on", async () => {
  const { state, outcome } = world();
  const caller = await outcome();
  expect(caller).toMatchObject({ name: "corp:tool" });
  const endMs = (startS + lifeS) * 1000 + clockSkewMs;
  state.nowMs = endMs - 1;
  // At once: no signature is verified.
  expect(outcome()).toBe(caller);
  state.nowMs = endMs;
  expect(await outcome()).toBe("invalid");
});

test("a JWT that was verified is refused once its key is no longer among those of the issuer", async () => {
  const { state, outcome } = world();
  expect(await outcome()).toMatchObject({ name: "corp:tool" });
  state.keySet = { keys: [], kids: new Set() };
  expect(await outcome()).toBe("invalid");
});
