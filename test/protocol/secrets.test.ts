import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { asObject, type Client, type ClientKind } from "../support/clients/client.ts";
import { clientKinds, succeed } from "../support/clients.ts";
import { httpSender } from "../support/http.ts";
import { scrape } from "../support/metrics.ts";
import { startOtlpSink } from "../support/otlp-sink.ts";
import { createRoleTokens } from "../support/role-tokens.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";

/**
 * A session over every protocol with secrets in their places and in wrong places, at log level trace. Afterwards everything that the server
 * wrote is searched for the secrets.
 */
const roles = createRoleTokens();
const compromised = "REVOCATION_REASON_KEY_COMPROMISE";
let dataDir: string;
/** The running server. */
let server: ServerProcess;
/** All output of the servers. */
let log = "";
/** Secrets by description. */
const secrets = new Map<string, string>();
/** All responses except those of issue and rotate, with their origin. */
const answers: { readonly from: string; readonly text: string }[] = [];
const storeFiles: { readonly name: string; readonly text: string }[] = [];

/** What the servers sent to Prometheus and the trace collector. */
const observed: { readonly name: string; readonly text: string }[] = [];

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "keywright-test-"));
  await withServer(async () => {
    await knowSecrets();
    for (const kind of clientKinds) await lifeOfKeys(kind);
    await secretsInOddPlaces();
    await brokenRequests();
    await readStoreFiles();
  });
  await readStoreFiles();
  breakStore();
  await withServer(callsThatFail);
}, 120_000);
afterAll(() => rm(dataDir, { recursive: true, force: true }));

async function withServer(action: () => Promise<void>): Promise<void> {
  await using sink = await startOtlpSink();
  const env = {
    KEYWRIGHT_LOG_LEVEL: "trace",
    KEYWRIGHT_ADMIN_TOKEN: roles.admin,
    KEYWRIGHT_TRUSTED_PROXIES: "127.0.0.1/32",
    KEYWRIGHT_METRICS_PORT: "0",
    OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
    OTEL_BSP_MAX_QUEUE_SIZE: "100000",
  };
  server = await startServer({ dataDir, config: roles.config, env });
  try {
    await action();
    observed.push({ name: "scrape", text: (await scrape(server)).text });
  } finally {
    await server.stop();
    log += server.output();
    observed.push({ name: "traces", text: sink.text() });
  }
}

async function knowSecrets(): Promise<void> {
  const fileText = async (name: string) => (await readFile(join(dataDir, name), "utf8")).trim();
  secrets.set("the admin token", roles.admin);
  secrets.set("the auditor's token", roles.auditor);
  secrets.set("the server secret", await fileText("server-secret"));
  const { keys } = JSON.parse(await fileText("signing-keys.json")) as { keys: readonly { d: string }[] };
  for (const { d } of keys) secrets.set("the signing key", d);
}

/** A key from issue to revocation, with refused calls in between. */
async function lifeOfKeys(kind: ClientKind): Promise<void> {
  await using client = kind.open(server.url, roles.admin);
  const keep = async (methodName: string, request: JsonObject, token?: string | null) => {
    const reply = await client.call(methodName, request, token === undefined ? {} : { token });
    answers.push({ from: `${kind.name} ${methodName}`, text: JSON.stringify([reply, [...reply.headers]]) });
  };
  const { keyId, secret } = await newKey(client, "AdminIssueApiKey", { name: kind.name, request_id: `id of ${kind.name}`.slice(0, 36) });
  await keep("AdminIssueApiKey", { name: kind.name, request_id: `id of ${kind.name}`.slice(0, 36) });
  await keep("AdminGetIssuedApiKey", { key_id: keyId });
  await keep("AdminListIssuedApiKeys", {});
  await keep("AdminUpdateIssuedApiKey", { issued_api_key: { key_id: keyId, name: "renamed" } });
  for (const credential of [secret, secret.slice(0, -1), `${secret}x`, roles.admin, `Bearer ${secret}`]) {
    await keep("AdminVerifyApiKey", { credential });
  }
  await keep("AdminVerifyApiKey", { credential: secret }, secret);
  await keep("AdminVerifyApiKey", { credential: secret }, roles.auditor);
  await keep("AdminVerifyApiKey", { credential: secret }, null);
  await keep("AdminVerifyApiKey", { credential: secret, client_ip: secret });
  await keep("AdminGetIssuedApiKey", { key_id: secret });
  await keep("AdminListIssuedApiKeys", { filter: `actor_id="x" AND ${secret}` });
  await keep("AdminListIssuedApiKeys", { filter: `status="${secret}"`, page_token: secret });
  await keep("AdminIssueApiKey", { request_id: secret, scopes: [`not a scope ${secret}`] });
  await keep("AdminRevokeApiKey", { key_id: secret, reason: compromised, description: secret });
  await keep("AdminUpdateIssuedApiKey", { issued_api_key: { key_id: keyId }, update_mask: "revocationReason" });
  for (const algorithm of ["JWT", "MACAROON"]) await lifeOfToken(kind.name, client, secret, `TOKEN_ALGORITHM_${algorithm}`, keep);
  await keep("AdminImportApiKey", { raw_key: secret, name: "x", actor_id: "x" });
  await lifeOfImportedKeys(kind.name, secret, keep);
  const rotated = await newKey(client, "AdminRotateIssuedApiKey", { key_id: keyId });
  await keep("AdminRotateIssuedApiKey", { key_id: keyId });
  await keep("RevokeApiKey", { credential: rotated.secret, reason: "REVOCATION_REASON_PRIVILEGE_WITHDRAWN" }, null);
  await keep("RevokeApiKey", { credential: `${rotated.secret}x`, reason: compromised }, null);
  await keep("RevokeApiKey", { credential: rotated.secret, reason: compromised }, null);
  await keep("AdminVerifyApiKey", { credential: rotated.secret });
}

type Keep = (methodName: string, request: JsonObject, token?: string | null) => Promise<void>;

/** A derived token in its place and in wrong places; only the response of derive may contain it. */
async function lifeOfToken(name: string, client: Client, credential: string, algorithm: string, keep: Keep): Promise<void> {
  const { token } = asObject((await succeed(client, "AdminDeriveToken", { credential, algorithm })).token);
  const derived = String(token);
  secrets.set(`the ${algorithm} of ${name}`, derived);
  await keep("AdminVerifyApiKey", { credential: derived });
  await keep("AdminVerifyApiKey", { credential: `${derived.slice(0, -4)}AAAA` });
  await keep("AdminVerifyApiKey", { credential, audience: derived.slice(0, 255) }, derived);
  await keep("AdminDeriveToken", { credential: derived, scopes: ["more"] });
  await keep("AdminDeriveToken", { credential: derived, custom_claims: { [derived]: "x".repeat(5000) } });
  await keep("AdminBatchVerifyApiKeys", { requests: [{ credential: derived }, { credential: derived, client_ip: derived }] });
  await keep("RevokeApiKey", { credential: derived, reason: compromised }, null);
  await keep("AdminGetIssuedApiKey", { key_id: derived });
}

/** Raw keys and their digests, alone and in batches. */
async function lifeOfImportedKeys(name: string, issuedSecret: string, keep: Keep) {
  const rawKeys = ["first", "second", "third"].map(() => `sk_${randomBytes(24).toString("hex")}`);
  const [first, second, third] = rawKeys as [string, string, string];
  const sha256 = createHash("sha256").update(third).digest("hex");
  for (const rawKey of rawKeys) secrets.set(`the raw key ${rawKeys.indexOf(rawKey)} of ${name}`, rawKey);
  secrets.set(`the digest of ${name}`, sha256);
  const item = { name: "imported", actor_id: "x" };
  await keep("AdminImportApiKey", { ...item, raw_key: first, request_id: name.slice(0, 36) });
  await keep("AdminImportApiKey", { ...item, raw_key: first });
  await keep("AdminImportApiKey", { ...item, raw_key: `${first}\n` });
  await keep("AdminImportApiKey", { ...item, raw_key: first, raw_key_sha256: sha256 });
  const requests: JsonObject[] = [
    { ...item, raw_key: second, metadata: { any: "thing" } },
    { ...item, raw_key: second },
    { ...item, raw_key: first },
    { ...item, raw_key: issuedSecret },
    { ...item, raw_key: ` ${first}` },
    { raw_key: third },
    { ...item, raw_key_sha256: sha256 },
    { ...item, raw_key_sha256: `${sha256}00` },
    { ...item, raw_key: second, request_id: second },
    { ...item, raw_key: third, scopes: [`"${third}"`, sha256, sha256] },
  ];
  for (const methodName of ["AdminBatchImportApiKeys", "AdminBatchCreateImportedApiKeys", "AdminBatchImportApiKeys"]) {
    await keep(methodName, { requests });
  }
  for (const credential of rawKeys) await keep("AdminVerifyApiKey", { credential });
  await keep("AdminVerifyApiKey", { credential: sha256 });
  await keep("AdminBatchVerifyApiKeys", { requests: rawKeys.map((credential) => ({ credential })) });
  await keep("AdminListImportedApiKeys", {});
  await keep("AdminDeleteImportedApiKey", { key_id: first });
  await keep("AdminRevokeImportedApiKey", { key_id: first, reason: compromised });
  await keep("AdminUpdateImportedApiKey", { imported_api_key: { key_id: first, actor_id: second } });
  await keep("RevokeApiKey", { credential: first, reason: compromised });
}

async function newKey(client: Client, methodName: string, request: JsonObject): Promise<{ keyId: string; secret: string }> {
  const { issued_api_key, secret } = await succeed(client, methodName, request);
  const key = { keyId: String(asObject(issued_api_key).key_id), secret: String(secret) };
  secrets.set(`the key ${key.keyId} of ${client.name}`, key.secret);
  return key;
}

/** Uses plain HTTP, where nothing restricts the client. */
async function secretsInOddPlaces(): Promise<void> {
  const send = httpSender(server.url, roles.admin);
  const issued = await send("POST", "/v2alpha1/admin/issuedApiKeys", { body: {} });
  const secret = String(issued.json.secret);
  secrets.set("the key in odd places", secret);
  const json = "application/json";
  const [keys, verify] = ["/v2alpha1/admin/issuedApiKeys", "/v2alpha1/admin/apiKeys:verify"];
  const batch = "/v2alpha1/admin/importedApiKeys:batchImport";
  const [verifyRpc, getRpc] = ["AdminVerifyApiKey", "AdminGetIssuedApiKey"].map((name) => `/keywright.v2alpha1.ApiKeysService/${name}`);
  const rpcHeaders = (contentType: string) => ({ "content-type": contentType, "connect-protocol-version": "1" });
  const attempts: readonly [method: string, path: string, body?: string | JsonObject, headers?: Record<string, string>][] = [
    ["GET", `/${secret}`],
    ["GET", `${keys}/${secret}`],
    ["GET", `${keys}/%zz${secret}`],
    ["POST", `${keys}/${secret}:explode`, {}],
    ["DELETE", `${keys}/${secret}`],
    ["PATCH", `${keys}/${secret}?update_mask=${secret}`, {}],
    ["GET", `${keys}?page_token=${secret}&page_size=${secret}`],
    ["GET", `${keys}?${secret}=1`],
    ["GET", `${keys}?access_token=${roles.admin}`],
    ["GET", keys, undefined, { authorization: `Basic ${secret}`, traceparent: secret, tracestate: `x=${secret}`, baggage: `x=${secret}` }],
    ["GET", keys, undefined, { authorization: `Bearer ${roles.admin} ${secret}` }],
    [
      "GET",
      keys,
      undefined,
      { authorization: secret, "x-api-key": secret, cookie: `key=${secret}`, "user-agent": secret, referer: secret },
    ],
    ["POST", verify, { credential: secret }, { "x-forwarded-for": secret, "cache-control": secret, forwarded: `for=${secret}` }],
    ["POST", verify, `{"credential":"${secret}`],
    ["POST", verify, `{"credential":${secret}}`],
    ["POST", verify, secret],
    ["POST", verify, `"${secret}"`],
    ["POST", verify, { credential: secret, client_ip: { inner: secret } }],
    ["POST", verify, { [secret]: 1 }],
    ["POST", verify, { credential: [secret] }],
    ["POST", verify, `credential=${secret}`, { "content-type": "application/x-www-form-urlencoded" }],
    ["POST", verify, { credential: secret }, { "content-type": `text/${secret}` }],
    ["POST", verify, { credential: secret }, { "content-type": json, "content-encoding": secret }],
    ["POST", keys, { ttl: secret, visibility: secret, metadata: secret, rate_limit_policy: { quota: secret, window: secret } }],
    ["POST", batch, `{"requests":[{"raw_key":"${secret}`],
    ["POST", batch, { requests: [{ raw_key: { inner: secret } }] }],
    ["POST", batch, { requests: [{ [secret]: secret }] }],
    ["POST", batch, { requests: secret, request_id: secret }],
    ["POST", `${keys}/x:rotate`, { override_mask: secret, scopes: secret }],
    ["POST", verifyRpc as string, `{"credential":"${secret}`, rpcHeaders(json)],
    ["POST", verifyRpc as string, { credential: [secret], [secret]: secret }, rpcHeaders(json)],
    ["POST", verifyRpc as string, secret, rpcHeaders("application/proto")],
    ["POST", verifyRpc as string, { credential: secret }, { ...rpcHeaders(json), "connect-timeout-ms": secret }],
    ["POST", verifyRpc as string, `\0\0\0\0${String.fromCharCode(secret.length)}${secret}`, rpcHeaders("application/grpc-web+proto")],
    ["POST", verifyRpc as string, `\0\0\0\0${String.fromCharCode(secret.length)}${secret}`, rpcHeaders("application/grpc-web+json")],
    ["GET", `${getRpc}?connect=v1&encoding=json&message=${secret}`],
    ["GET", `${getRpc}?connect=v1&encoding=${secret}&message={}`],
    ["POST", `/keywright.v2alpha1.ApiKeysService/${secret}`, {}, rpcHeaders(json)],
  ];
  for (const [method, path, body, headers = {}] of attempts) {
    const answer = await send(method, path, { ...(body === undefined ? {} : { body }), headers });
    const from = `${method} ${path} ${JSON.stringify(body)} ${JSON.stringify(headers)}`;
    answers.push({ from, text: JSON.stringify([answer.text, [...answer.headers]]) });
  }
  // A request id must be returned; only the log matters here.
  await send("GET", keys, { headers: { "x-request-id": secret } });
  await send("POST", keys, { body: {}, headers: { "x-request-id": secret } });
}

/** Sends bytes that are not HTTP. */
async function brokenRequests(): Promise<void> {
  const [secret = ""] = [...secrets.values()].slice(-1);
  for (const bytes of [
    `${secret}\r\n\r\n`,
    `GET /${secret} HTTP/9.9\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${roles.admin}\r\n${secret}\r\n\r\n`,
    `POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: ${secret}\r\n\r\n`,
    `CONNECT ${secret}:443 HTTP/1.1\r\nHost: x\r\n\r\n`,
  ]) {
    const socket = connect(server.port, "127.0.0.1");
    let text = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    socket.end(bytes);
    await new Promise((resolve) => socket.on("close", resolve).on("error", resolve));
    answers.push({ from: bytes, text });
  }
}

async function readStoreFiles(): Promise<void> {
  for (const name of await readdir(dataDir)) {
    if (name.startsWith("keywright.db")) storeFiles.push({ name, text: await readFile(join(dataDir, name), "latin1") });
  }
}

/** Makes the next server fail on its own: unreadable records, and a table that accepts no rows. */
function breakStore(): void {
  const database = new DatabaseSync(join(dataDir, "keywright.db"));
  // Its triggers would refuse unreadable records.
  database.exec("DROP TRIGGER IF EXISTS key_terms_anew");
  database.exec("UPDATE keys SET scopes = '[broken'");
  database.exec("CREATE TRIGGER full BEFORE INSERT ON keys BEGIN SELECT RAISE(ABORT, 'no more'); END");
  database.close();
}

async function callsThatFail(): Promise<void> {
  const credential = secrets.get("the key in odd places") ?? "";
  for (const kind of clientKinds) {
    await using client = kind.open(server.url, roles.admin);
    for (const [methodName, request] of [
      ["AdminVerifyApiKey", { credential }],
      ["RevokeApiKey", { credential, reason: compromised }],
      ["AdminIssueApiKey", { name: "x" }],
    ] as const) {
      const reply = await client.call(methodName, request);
      answers.push({ from: `${kind.name} ${methodName}: ${reply.ok ? "OK" : reply.code}`, text: JSON.stringify(reply) });
    }
  }
}

/** Returns the secrets that a text contains. A part that is long enough to be useful counts as the whole. */
function leaksIn(text: string): string[] {
  return [...secrets].filter(([, secret]) => text.includes(tellingPart(secret))).map(([title]) => title);
}

/** 24 random characters: of a key after its id, of a derived token in its signature. */
function tellingPart(secret: string): string {
  if (/^(eyJ|mc_v1_)/.test(secret)) return secret.slice(-24);
  const start = secret.lastIndexOf("_") + 1;
  return secret.slice(start).length >= 24 ? secret.slice(start, start + 24) : secret.slice(0, 24);
}

test("the session ran as intended", () => {
  expect(secrets.size).toBeGreaterThan(2 * clientKinds.length);
  expect([...secrets.values()].flatMap((secret) => leaksIn(`so "${secret}" shows`))).toEqual([...secrets.keys()]);
  expect(answers.filter(({ text }) => /INVALID_ARGUMENT|invalid_argument/.test(text)).length).toBeGreaterThan(50);
  expect(answers.filter(({ from }) => /INTERNAL|UNAVAILABLE/.test(from)).length).toBe(3 * clientKinds.length);
  expect(log).toContain('"rpc":"AdminIssueApiKey"');
  expect(log).toContain('"level":"error"');
  expect(observed.map(({ text }) => text).join("")).toMatch(
    /keywright_rpc_calls_total\{rpc="RevokeApiKey"[\s\S]*ApiKeysService\/AdminIssueApiKey/,
  );
  expect(storeFiles.map(({ text }) => text).join("")).toContain("renamed");
});

describe("no secret is", () => {
  test("in a response, except where it was issued", () => {
    expect(answers.filter(({ text }) => leaksIn(text).length > 0)).toEqual([]);
  });

  test("in the log", () => {
    expect(log.split("\n").filter((line) => leaksIn(line).length > 0)).toEqual([]);
  });

  test("in metrics and traces", () => {
    expect(observed.flatMap(({ name, text }) => leaksIn(text).map((title) => `${title} in the ${name}`))).toEqual([]);
  });

  test("in the store's files", () => {
    expect(storeFiles.flatMap(({ name, text }) => leaksIn(text).map((title) => `${title} in ${name}`))).toEqual([]);
  });
});
