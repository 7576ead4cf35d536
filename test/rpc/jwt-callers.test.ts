import { generateKeyPairSync } from "node:crypto";
import { SignJWT, UnsecuredJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { restHttp1 } from "../support/clients/rest.ts";
import { clientKinds, refused, succeed } from "../support/clients.ts";
import { audience, startProvider, type TestProvider } from "../support/oidc-provider.ts";
import { token } from "../support/role-tokens.ts";
import { startServerHere } from "../support/server-here.ts";
import type { RunningServer } from "../support/server-process.ts";

let provider: TestProvider;
let server: RunningServer;

beforeAll(async () => {
  provider = await startProvider();
  const config = `admin_issuers:
  - name: corp
    issuer: ${provider.issuer}
    audience: ${audience}
    algorithms: [ES256]
    rules:
      - when: [{ claim: sub, equals: deployer }, { claim: scope, contains: keys }]
        roles: [issuer]
        scope_ceiling: [read]
      - when: [{ claim: repository_owner, equals: acme }, { claim: sub, prefix: "repo:acme/" }]
        roles: [verifier]
      - when: [{ claim: kubernetes.io.namespace, one_of: [prod, staging] }]
        roles: [auditor]
      - when: [{ claim: sub, prefix: "spiffe://acme.example/" }]
        roles: [verifier]
`;
  server = await startServerHere({
    config,
    env: { KEYWRIGHT_ADMIN_TOKEN: token(), KEYWRIGHT_ADMIN_ISSUERS_PRIVATE_ADDRESSES: "allow", KEYWRIGHT_LOG_LEVEL: "debug" },
  });
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await provider?.[Symbol.asyncDispose]();
});

const nowS = () => Math.floor(Date.now() / 1000);
const subject = "repo:acme/tool:ref:refs/heads/main";

/** Claims of a token to which the second rule gives the role `verifier`. */
function claims(others: Readonly<Record<string, unknown>> = {}) {
  return { iss: provider.issuer, aud: audience, sub: subject, repository_owner: "acme", iat: nowS(), exp: nowS() + 300, ...others };
}

test("a client of the provider issues keys within its ceiling, and its name is in the audit trail", async () => {
  await using client = restHttp1.open(server.url, await provider.accessToken());
  await succeed(client, "AdminIssueApiKey", { scopes: ["read"] });
  expect(await refused(client, "AdminIssueApiKey", { scopes: ["root"] })).toMatchObject({ code: "PERMISSION_DENIED" });
  expect(await refused(client, "AdminListAuditEvents", {})).toMatchObject({ code: "PERMISSION_DENIED" });
  const { audit_events } = await succeed(client, "AdminListAuditEvents", {}, { token: server.adminToken });
  expect(audit_events).toContainEqual(expect.objectContaining({ method: "AdminIssueApiKey", caller: "corp:deployer" }));
  expect(server.output()).toContain('"corp:deployer"');
});

test.each([
  ["GitHub Actions", { jti: "1", ref: "refs/heads/main", repository: "acme/tool", actor: "someone" }, { typ: "JWT" }, "AdminVerifyApiKey"],
  [
    "Kubernetes",
    {
      aud: [audience, "https://kubernetes.default.svc"],
      sub: "system:serviceaccount:prod:deployer",
      repository_owner: undefined,
      "kubernetes.io": { namespace: "prod", serviceaccount: { name: "deployer", uid: "1" } },
    },
    {},
    "AdminListIssuedApiKeys",
  ],
  ["SPIFFE", { sub: "spiffe://acme.example/gateway", aud: [audience], repository_owner: undefined }, { typ: "JOSE" }, "AdminVerifyApiKey"],
])("a token in the shape of %s is accepted", async (_, shape, header, method) => {
  await using client = restHttp1.open(server.url, await provider.sign(claims(shape), header));
  await succeed(client, method, method === "AdminVerifyApiKey" ? { credential: "kw_v1_unknown" } : {});
});

const otherKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;

const invalid: Readonly<Record<string, () => Promise<string> | string>> = {
  "for another audience": () => provider.sign(claims({ aud: "https://other.example" })),
  "of another issuer": () => provider.sign(claims({ iss: "https://other.example" })),
  expired: () => provider.sign(claims({ iat: nowS() - 300, exp: nowS() - 31 })),
  "that is not valid yet": () => provider.sign(claims({ nbf: nowS() + 60 })),
  "with too long a life": () => provider.sign(claims({ exp: nowS() + 3700 })),
  "without an expiry": () => provider.sign(claims({ exp: undefined })),
  "without a subject": () => provider.sign(claims({ sub: undefined })),
  "of another type": () => provider.sign(claims(), { typ: "logout+jwt" }),
  "with a critical extension": () => provider.sign(claims(), { crit: ["ext"], ext: 1 }),
  "of another algorithm": () => new SignJWT(claims()).setProtectedHeader({ alg: "HS256", kid: "key" }).sign(Buffer.alloc(32)),
  unsigned: () => new UnsecuredJWT(claims()).encode(),
  "signed with another key": async () => {
    const [header] = (await provider.sign(claims())).split(".");
    const { kid } = JSON.parse(Buffer.from(header ?? "", "base64url").toString());
    return new SignJWT(claims()).setProtectedHeader({ alg: "ES256", kid }).sign(otherKey);
  },
};

describe.each(clientKinds)("over $name", ({ open }) => {
  test("an invalid token returns UNAUTHENTICATED, and one without a matching rule PERMISSION_DENIED, as in RFC 6750", async () => {
    await using client = open(server.url, server.adminToken);
    for (const [title, make] of Object.entries(invalid)) {
      const reply = await refused(client, "AdminVerifyApiKey", { credential: "a" }, { token: await make() });
      expect(reply, title).toMatchObject({ code: "UNAUTHENTICATED", reason: "UNAUTHENTICATED" });
      expect(reply.headers.get("www-authenticate"), title).toBe('Bearer realm="keywright", error="invalid_token"');
    }
    const unmatched = await provider.sign(claims({ repository_owner: "someone" }));
    for (const _ of ["verified", "remembered"]) {
      const reply = await refused(client, "AdminVerifyApiKey", { credential: "a" }, { token: unmatched });
      expect(reply).toMatchObject({ code: "PERMISSION_DENIED", reason: "PERMISSION_DENIED" });
      expect(reply.headers.get("www-authenticate")).toBe('Bearer realm="keywright", error="insufficient_scope"');
    }
  });
});

test("keys rotate while calls run, and none is refused", async () => {
  await using client = restHttp1.open(server.url, server.adminToken);
  let isRotated = false;
  const work = async () => {
    let count = 0;
    for (let rounds = 0; rounds < 20 || !isRotated; rounds += 1) {
      await succeed(client, "AdminVerifyApiKey", { credential: "a" }, { token: await provider.sign(claims({ jti: crypto.randomUUID() })) });
      count += 1;
    }
    return count;
  };
  const running = [work(), work(), work(), work()];
  for (let rotations = 0; rotations < 2; rotations += 1) {
    provider.rotate();
    await succeed(client, "AdminVerifyApiKey", { credential: "a" }, { token: await provider.sign(claims({ jti: crypto.randomUUID() })) });
  }
  isRotated = true;
  expect((await Promise.all(running)).reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(80);
});

test("many invented key ids cost one fetch per two seconds, and callers with a known key may call while the issuer is down", async () => {
  await using client = restHttp1.open(server.url, server.adminToken);
  const fetchesBefore = provider.fetchCount();
  const startMs = performance.now();
  const invented = Array.from({ length: 50 }, () => provider.sign(claims(), { kid: crypto.randomUUID() }));
  const call = (bearer: string) => client.call("AdminVerifyApiKey", { credential: "a" }, { token: bearer });
  const replies = await Promise.all(invented.map(async (bearer) => call(await bearer)));
  expect(new Set(replies.map((reply) => reply.ok || reply.code))).toEqual(new Set(["UNAUTHENTICATED"]));
  // Fetches start at least two seconds apart, so a slow machine may make more of them, but never more than this.
  const allowed = 1 + Math.floor((performance.now() - startMs) / 2000);
  const fetchCount = provider.fetchCount() - fetchesBefore;
  expect(fetchCount).toBeGreaterThanOrEqual(1);
  expect(fetchCount).toBeLessThanOrEqual(allowed);

  provider.setDown(true);
  expect(await call(await provider.sign(claims(), { kid: "unknown" }))).toMatchObject({
    code: "UNAVAILABLE",
    reason: "ISSUER_UNAVAILABLE",
  });
  expect(await call(await provider.sign(claims({ jti: "new" })))).toMatchObject({ ok: true });
});
