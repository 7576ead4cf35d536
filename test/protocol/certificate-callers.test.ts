import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { request as requestHttps } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type ConnectionOptions, connect as connectTls, createServer as createTlsServer } from "node:tls";
import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createCertificateCallers } from "../../src/rpc/admission/certificate-callers.ts";
import { type CertificateOptions, createAuthority } from "../support/certificates.ts";
import type { ClientTls } from "../support/clients/client.ts";
import { connectJson } from "../support/clients/connect-json.ts";
import { restHttp1 } from "../support/clients/rest.ts";
import { clientKinds, refused, succeed } from "../support/clients.ts";
import { createRoleTokens } from "../support/role-tokens.ts";
import { startServerHere } from "../support/server-here.ts";
import type { RunningServer } from "../support/server-process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const tokens = createRoleTokens();
const servers = createAuthority("servers");
const clients = createAuthority("clients");
const folder = temporaryFolder();
let server: RunningServer;

const rules = `admin_certificates:
  - when: [{ claim: uri, prefix: "spiffe://acme.example/deploy/" }]
    roles: [issuer]
    scope_ceiling: [read]
  - when: [{ claim: dns, equals: gateway.acme.example }]
    roles: [verifier]
  - when: [{ claim: subject.O, equals: auditors }, { claim: subject.CN, equals: "ann" }]
    roles: [auditor]
  - when: [{ claim: dns, equals: elsewhere.acme.example }]
    roles: [admin]
    tenants: [elsewhere]
  - when: [{ claim: dns, equals: everywhere.acme.example }]
    roles: [verifier]
    tenants: ["*"]
`;

beforeAll(async () => {
  const { cert, key } = servers.issue({ ips: ["127.0.0.1"] });
  const files = { KEYWRIGHT_TLS_CERT_FILE: cert, KEYWRIGHT_TLS_KEY_FILE: key, KEYWRIGHT_TLS_CLIENT_CA_FILE: clients.cert };
  const env: Record<string, string> = { KEYWRIGHT_ADMIN_TOKEN: tokens.admin, KEYWRIGHT_LOG_LEVEL: "debug" };
  for (const [name, pem] of Object.entries(files)) {
    env[name] = join(folder.path, name);
    await writeFile(env[name], pem);
  }
  server = await startServerHere({ config: `${tokens.config}\n${rules}`, env });
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  folder.remove();
});

/** A client with a new certificate of the authority. */
function showing(options: CertificateOptions, authority = clients): ClientTls {
  return { ca: servers.cert, ...authority.issue(options) };
}

const verification = { credential: "kw_v1_unknown" };
const deployer = { uris: ["spiffe://acme.example/deploy/web"], dns: ["web.acme.example"] };
const gateway = { dns: ["gateway.acme.example"], subject: ["someone"] };

/** Certificates that identify no caller, each with the reason in the response. */
const invalid: readonly (readonly [reason: string, make: () => ClientTls])[] = [
  ["CERT_HAS_EXPIRED", () => showing({ ...gateway, endsAt: new Date("2021-01-01") })],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", () => ({ ca: servers.cert, ...createAuthority("nobody") })],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", () => showing(gateway, createAuthority("others"))],
  ["CERT_SIGNATURE_FAILURE", () => showing(gateway, createAuthority("clients"))],
  ["INVALID_PURPOSE", () => showing({ ...gateway, usage: "server" })],
  ["INVALID_PURPOSE", () => ({ ca: servers.cert, ...chainThroughLeaf() })],
  ["UNREADABLE_NAME", () => showing({ ...gateway, uris: ["spiffe://acme.example/deploy/\u0007"] })],
];

/** A certificate signed by the holder of another certificate, who is not an authority. */
function chainThroughLeaf() {
  const pretender = clients.issueAuthority("pretender", false);
  const { cert, key } = pretender.issue(gateway);
  return { cert: Buffer.concat([cert, pretender.cert]), key };
}

describe.each(clientKinds.filter((kind) => kind !== connectJson))("over $name", ({ open }) => {
  test("a certificate identifies a caller with the roles and the ceiling of its rules", async () => {
    await using client = open(server.url, null, showing(deployer));
    await succeed(client, "AdminIssueApiKey", { scopes: ["read"] });
    expect(await refused(client, "AdminIssueApiKey", { scopes: ["root"] })).toMatchObject({ code: "PERMISSION_DENIED" });
    expect(await refused(client, "AdminListIssuedApiKeys", {})).toMatchObject({ code: "PERMISSION_DENIED" });
  });

  test("only the token counts if there are both, and a token works without a certificate", async () => {
    await using client = open(server.url, null, showing(gateway));
    await succeed(client, "AdminVerifyApiKey", verification);
    await succeed(client, "AdminListIssuedApiKeys", {}, { token: tokens.auditor });
    expect(await refused(client, "AdminVerifyApiKey", verification, { token: tokens.auditor })).toMatchObject({
      code: "PERMISSION_DENIED",
    });
    expect(await refused(client, "AdminVerifyApiKey", verification, { token: "x".repeat(40) })).toMatchObject({ code: "UNAUTHENTICATED" });
    const basic = { headers: { authorization: "Basic YTpi" } };
    expect(await refused(client, "AdminVerifyApiKey", verification, { token: null, ...basic })).toMatchObject({ code: "UNAUTHENTICATED" });
    await using bare = open(server.url, tokens.verifier, { ca: servers.cert });
    await succeed(bare, "AdminVerifyApiKey", verification);
    expect(await refused(bare, "AdminVerifyApiKey", verification, { token: null })).toMatchObject({ code: "UNAUTHENTICATED" });
  });

  test("a certificate without a matching rule is refused, and so is one for another tenant", async () => {
    await using unmatched = open(server.url, null, showing({ uris: ["spiffe://acme.example/deployer"] }));
    expect(await refused(unmatched, "AdminVerifyApiKey", verification)).toMatchObject({ code: "PERMISSION_DENIED" });
    await using elsewhere = open(server.url, null, showing({ dns: ["elsewhere.acme.example"] }));
    const headers = { "keywright-tenant": "default" };
    expect(await refused(elsewhere, "AdminVerifyApiKey", verification, { headers })).toMatchObject({ code: "PERMISSION_DENIED" });
  });

  test("an invalid certificate returns UNAUTHENTICATED", async () => {
    for (const [reason, make] of invalid) {
      await using client = open(server.url, null, make());
      const reply = await refused(client, "AdminVerifyApiKey", verification);
      expect([reply.code, reply.message]).toEqual(["UNAUTHENTICATED", `the client certificate is not accepted (${reason})`]);
      expect(reply.headers.get("www-authenticate")).toBe('Bearer realm="keywright"');
    }
  });
});

test("conditions can use attributes of the subject, and no value can imitate another name", async () => {
  await using auditor = restHttp1.open(server.url, null, showing({ subject: ["ann", "staff", "auditors"] }));
  await succeed(auditor, "AdminListIssuedApiKeys", {});
  const forged = [
    { subject: ["ann\nO=auditors"] },
    { subject: ["ann + O=auditors"] },
    { uris: ["https://a.example, DNS:gateway.acme.example"] },
    { uris: ['https://a.example", DNS:gateway.acme.example'] },
    { dns: ["x, URI:spiffe://acme.example/deploy/web"] },
  ];
  for (const options of forged) {
    await using client = restHttp1.open(server.url, null, showing(options));
    expect(await refused(client, "AdminIssueApiKey", {}), JSON.stringify(options)).toMatchObject({ code: "PERMISSION_DENIED" });
  }
});

test("roles of one rule apply neither to the tenants of another nor beyond its ceiling", async () => {
  await using admin = restHttp1.open(server.url, tokens.admin, { ca: servers.cert });
  for (const tenant_id of ["elsewhere", "third"]) await succeed(admin, "AdminCreateTenant", { tenant_id });
  const names = { uris: ["spiffe://acme.example/deploy/all"], dns: ["elsewhere.acme.example", "everywhere.acme.example"] };
  await using client = restHttp1.open(server.url, null, showing(names));
  const at = (tenant: string) => ({ headers: { "keywright-tenant": tenant } });
  for (const tenant of ["default", "elsewhere", "third"]) await succeed(client, "AdminVerifyApiKey", verification, at(tenant));

  await succeed(client, "AdminIssueApiKey", { scopes: ["read"] }, at("default"));
  await succeed(client, "AdminIssueApiKey", { scopes: ["write"] }, at("elsewhere"));
  await succeed(client, "AdminListIssuedApiKeys", {}, at("elsewhere"));
  const denied: [string, JsonObject, string][] = [
    ["AdminIssueApiKey", { scopes: ["write"] }, "default"],
    ["AdminIssueApiKey", { scopes: ["read"] }, "third"],
    ["AdminListIssuedApiKeys", {}, "default"],
    ["AdminListIssuedApiKeys", {}, "third"],
    ["AdminCreateTenant", { tenant_id: "fourth" }, "elsewhere"],
  ];
  for (const [method, request, tenant] of denied) {
    expect(await refused(client, method, request, at(tenant)), `${method} in ${tenant}`).toMatchObject({ code: "PERMISSION_DENIED" });
  }
});

test("AdminWhoAmI returns what each rule grants, and refuses callers that no rule matches", async () => {
  const names = { uris: ["spiffe://acme.example/deploy/all"], dns: ["elsewhere.acme.example"] };
  await using client = restHttp1.open(server.url, null, showing(names));
  const issuer = { roles: ["issuer"], tenants: ["default"], scope_ceiling: { scopes: ["read"] } };
  // Protobuf JSON omits empty fields.
  expect(await succeed(client, "AdminWhoAmI", {})).toEqual({
    name: "certificate:spiffe://acme.example/deploy/all",
    roles: ["issuer", "admin"],
    tenants: ["default", "elsewhere"],
    scope_ceiling: { scopes: ["read"] },
    grants: [issuer, { roles: ["admin"], tenants: ["elsewhere"] }],
  });
  const admin = { roles: ["admin"], tenants: ["*"] };
  expect(await succeed(client, "AdminWhoAmI", {}, { token: tokens.admin })).toEqual({ name: "admin", ...admin, grants: [admin] });
  await using stranger = restHttp1.open(server.url, null, showing({ dns: ["stranger.acme.example"] }));
  expect(await refused(stranger, "AdminWhoAmI", {})).toMatchObject({ code: "PERMISSION_DENIED" });
  expect(await refused(stranger, "AdminWhoAmI", {}, { token: "x".repeat(40) })).toMatchObject({ code: "UNAUTHENTICATED" });
});

test("the name of the caller is in the log and in the audit trail", async () => {
  // A separate name, because only a limited number of refusals per name is recorded per minute.
  const caller = "certificate:spiffe://acme.example/deploy/audited";
  await using client = restHttp1.open(server.url, null, showing({ uris: ["spiffe://acme.example/deploy/audited"] }));
  await succeed(client, "AdminIssueApiKey", {});
  await refused(client, "AdminListAuditEvents", {});
  const { audit_events } = await succeed(client, "AdminListAuditEvents", {}, { token: tokens.admin });
  expect(audit_events).toContainEqual(expect.objectContaining({ method: "AdminIssueApiKey", caller }));
  expect(server.output()).toContain(`"caller":"${caller}"`);
  await expect
    .poll(async () => (await succeed(client, "AdminListAuditEvents", {}, { token: tokens.admin })).audit_events)
    .toContainEqual(expect.objectContaining({ method: "AdminListAuditEvents", caller, error_reason: "PERMISSION_DENIED" }));
});

test("a page in a browser cannot call with the certificate of its user", async () => {
  await using client = restHttp1.open(server.url, null, showing(gateway));
  await succeed(client, "AdminVerifyApiKey", verification);
  const reply = await refused(client, "AdminVerifyApiKey", verification, { headers: { origin: "https://evil.example" } });
  expect(reply).toMatchObject({ code: "UNAUTHENTICATED" });
});

/** Returns whether a TLS session of a first connection makes a second connection a resumed one. */
async function isResumed(port: number, options: ConnectionOptions): Promise<boolean> {
  const begin = (session?: Buffer) => {
    const socket = connectTls({
      host: "127.0.0.1",
      port,
      ca: servers.cert,
      ALPNProtocols: ["http/1.1"],
      ...options,
      ...(session && { session }),
    });
    let newest = socket.getSession();
    socket.on("session", (given) => {
      newest = given;
    });
    socket.write("GET /health/alive HTTP/1.1\r\nHost: a\r\n\r\n");
    return new Promise<{ session: Buffer | undefined; isReused: boolean }>((resolve, reject) => {
      socket.on("error", reject).on("data", () => {
        resolve({ session: newest ?? socket.getSession(), isReused: socket.isSessionReused() });
        socket.destroy();
      });
    });
  };
  const { session } = await begin();
  return (await begin(session)).isReused;
}

test.each(["TLSv1.2", "TLSv1.3"] as const)(
  "%s sessions are not resumed, so that every connection sends its certificate again",
  async (version) => {
    const { cert, key } = clients.issue(gateway);
    const options = { cert, key, minVersion: version, maxVersion: version };
    expect(await isResumed(server.port, options)).toBe(false);

    // The client does resume sessions of a server that allows it.
    const other = createTlsServer({ ...servers.issue({ ips: ["127.0.0.1"] }), ca: clients.cert, requestCert: true });
    other.on("secureConnection", (socket) => socket.on("error", () => {}).on("data", () => socket.write("answer")));
    await once(other.listen(0, "127.0.0.1"), "listening");
    expect(await isResumed((other.address() as AddressInfo).port, options)).toBe(true);
    other.close();
  },
);

test("introspection accepts certificates too", async () => {
  const session = connectHttp2(server.url, showing(gateway));
  const stream = session.request({
    ":method": "POST",
    ":path": "/v2alpha1/oauth2/introspect",
    "content-type": "application/x-www-form-urlencoded",
  });
  stream.end("token=kw_v1_unknown");
  let text = "";
  for await (const chunk of stream.setEncoding("utf8")) text += chunk;
  session.close();
  expect(text).toBe('{"active":false}');
});

test("a gateway may show a certificate instead of a token, whatever Origin its end users send", async () => {
  const ask = async (tls: ClientTls) => {
    const headers = { authorization: "Bearer unknown", origin: "https://page.example" };
    const request = requestHttps({ host: "127.0.0.1", port: server.port, path: "/gateway/verify", headers, agent: false, ...tls });
    request.end();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.resume();
    return response.statusCode;
  };
  expect(await ask(showing(gateway))).toBe(401);
  expect(await ask(showing(deployer))).toBe(403);
  expect(await ask({ ca: servers.cert })).toBe(403);
});

test("a certificate that ends while its connection is open is refused from that moment on, and rules that are read again count at once", () => {
  let nowMs = 1_000;
  const certificate = { name: "certificate:a", claims: { uri: [], dns: ["a"], subject: {} }, expireTimeMs: 2_000 };
  const rule = (role: string) =>
    ({ when: [{ claim: "dns", test: "equals", values: ["a"] }], roles: [role], tenants: null, scopeCeiling: null }) as const;
  const call = { connection: {}, requestHeader: () => undefined };
  const callerBy = (role: string) =>
    createCertificateCallers(
      [rule(role)],
      () => certificate,
      () => nowMs,
    );
  const auditors = callerBy("auditor");
  for (const _ of ["first", "remembered"]) expect(auditors.callerOf(call)).toMatchObject({ name: "certificate:a", roles: ["auditor"] });
  expect(callerBy("verifier").callerOf(call)).toMatchObject({ roles: ["verifier"] });
  nowMs = 2_000;
  expect(auditors.callerOf(call)).toEqual({ certificate: "CERT_HAS_EXPIRED" });
  expect(auditors.callerOf({ ...call, connection: undefined })).toBe("missing");
});

test("a running server takes over a new certificate from its files", async () => {
  const { cert, key } = servers.issue({ ips: ["127.0.0.1"] });
  await writeFile(join(folder.path, "KEYWRIGHT_TLS_KEY_FILE"), key);
  await writeFile(join(folder.path, "KEYWRIGHT_TLS_CERT_FILE"), cert);
  const served = async () => {
    const socket = connectTls({ host: "127.0.0.1", port: server.port, ca: servers.cert });
    await once(socket, "secureConnect");
    const { raw } = socket.getPeerCertificate();
    socket.destroy();
    return raw;
  };
  await expect.poll(served, { timeout: 20_000 }).toEqual(new X509Certificate(cert).raw);
  expect(server.output()).toContain("certificates were read again");
});
