import { generateKeyPairSync, hash } from "node:crypto";
import { SignJWT } from "jose";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { Call } from "../../src/call/call.ts";
import { callersOf } from "../../src/composition/callers.ts";
import { authenticate } from "../../src/rpc/admission/authenticate.ts";
import { report, title } from "./report.ts";

const audience = "https://keywright.example";
const issuer = "https://issuer.example";
const token = "t".repeat(43);

/** The callers of a configuration with one way in of each kind, all with the role `verifier`. */
function createCallers(publicKey: object, clock: () => number) {
  const rule = { roles: ["verifier"], tenants: null, scopeCeiling: null };
  const claims = { uri: ["spiffe://acme.example/gateway"], dns: [], subject: {} };
  const certificate = { name: "certificate:spiffe://acme.example/gateway", claims, expireTimeMs: Number.MAX_SAFE_INTEGER };
  const keySet = { keys: [publicKey], kids: new Set(["key"]) };
  const adminToken = {
    name: "gateway",
    sha256: Buffer.from(hash("sha256", token), "hex"),
    ...rule,
    tenants: ["default"],
    expireTimeMs: null,
  };
  const sub = { claim: "sub", test: "equals", values: ["gateway"] } as const;
  const uri = { claim: "uri", test: "prefix", values: ["spiffe://acme.example/"] } as const;
  const adminIssuer = { name: "corp", issuer, audience: [audience], jwksUri: null, algorithms: ["EdDSA"], maxLifeMs: 3_600_000 };
  return callersOf(
    {
      roles: {},
      adminTokens: [adminToken],
      adminIssuers: [{ ...adminIssuer, rules: [{ when: [sub], ...rule }] }],
      adminCertificates: [{ when: [uri], ...rule }],
    },
    {
      keysOf: () => ({ current: () => keySet, refresh: () => {}, fetchNewer: async () => keySet, fetchUnlessRecent: async () => keySet }),
      certificateOf: () => certificate,
      clock,
    },
  );
}

/** The cost of authenticating a call, by the way in. A JWT and a certificate were seen before, as in all calls but the first. */
export async function measureCallers(): Promise<void> {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const callers = createCallers({ ...publicKey.export({ format: "jwk" }), kid: "key", alg: "EdDSA" }, Date.now);
  const admit = authenticate(() => callers, Date.now);
  const nowS = Math.floor(Date.now() / 1000);
  const times = { iss: issuer, aud: audience, sub: "gateway", iat: nowS, exp: nowS + 3000 };
  const jwt = await new SignJWT(times).setProtectedHeader({ alg: "EdDSA", kid: "key" }).sign(privateKey);
  const calls = [callOf(`Bearer ${token}`), callOf(`Bearer ${jwt}`), callOf(undefined)] as const;
  for (const call of calls) await admit(call);

  title("authentication of a call by the way in (rpc/admission)");
  report("token of the configuration", 100_000, () => admit(calls[0]));
  report("JWT that was seen before (jwt-callers.ts)", 100_000, () => admit(calls[1]));
  report("client certificate of the connection (certificate-callers.ts)", 100_000, () => admit(calls[2]));
}

function callOf(authorization: string | undefined): Call {
  const headers: Readonly<Record<string, string | undefined>> = { authorization };
  return {
    method: ApiKeysService.method.adminVerifyApiKey,
    connection: {},
    requestHeader: (name: string) => headers[name],
    setResponseHeader: () => {},
  } as unknown as Call;
}
