import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createMetrics } from "../../src/telemetry/metrics/metrics.ts";
import { asObject, type Client, codeName } from "../support/clients/client.ts";
import { clientKinds, succeed } from "../support/clients.ts";
import { httpSender } from "../support/http.ts";
import { metricsUrl, type Scrape, scrape } from "../support/metrics.ts";
import { startServerHere } from "../support/server-here.ts";
import type { RunningServer } from "../support/server-process.ts";

let server: RunningServer;
let clients: readonly Client[];
let secret: string;
let keyId: string;
const rpcPath = "/keywright.v2alpha1.ApiKeysService";

beforeAll(async () => {
  server = await startServerHere({ env: { KEYWRIGHT_METRICS_PORT: "0" } });
  clients = clientKinds.map((kind) => kind.open(server.url, server.adminToken));
  const issued = await succeed(clients[0] as Client, "AdminIssueApiKey", { name: "metrics", actor_id: "actor-of-metrics" });
  secret = String(issued.secret);
  keyId = String((issued.issued_api_key as { key_id: string }).key_id);
});
afterAll(async () => {
  for (const client of clients ?? []) await client[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

/** Returns how much the series rose while `action` ran. */
async function rise(series: readonly string[], action: () => Promise<unknown>): Promise<number[]> {
  const before = await scrape(server);
  await action();
  const after = await scrape(server);
  return series.map((name) => (after.value(name) ?? 0) - (before.value(name) ?? 0));
}

const calls = (rpc: string, protocol: string, code: string) =>
  `keywright_rpc_calls_total{rpc="${rpc}",protocol="${protocol}",code="${code}"}`;

/** Makes a call whose deadline passes while its body is read. */
async function bodyThatNeverComes(headers: Record<string, string>): Promise<void> {
  const call = request(`${server.url}${rpcPath}/AdminVerifyApiKey`, {
    method: "POST",
    headers: { "content-type": "application/json", "content-length": "9", authorization: `Bearer ${server.adminToken}`, ...headers },
  });
  call.flushHeaders();
  const [answer] = (await once(call, "response")) as [IncomingMessage];
  call.destroy();
  expect(answer.statusCode).toBe(504);
}

describe("calls are counted by RPC, protocol and code", () => {
  const prefixes = { "gRPC-Web": "grpc-web", gRPC: "grpc", Connect: "connect", "JSON/HTTP": "json-http" };
  const protocolOf = ({ name }: Client) => Object.entries(prefixes).find(([prefix]) => name.startsWith(prefix))?.[1] as string;

  test.each(clientKinds.map((kind, index) => [kind.name, index] as const))("%s", async (_, index) => {
    const client = clients[index] as Client;
    const protocol = protocolOf(client);
    const absent = { key_id: "01ARZ3NDEKTSV4RRFFQ69G5FAV" };
    const outcomes: string[] = [];
    const rises = await rise(
      [
        calls("AdminVerifyApiKey", protocol, "OK"),
        calls("AdminGetIssuedApiKey", protocol, "NOT_FOUND"),
        calls("AdminGetIssuedApiKey", protocol, "UNAUTHENTICATED"),
        calls("AdminListIssuedApiKeys", protocol, "INVALID_ARGUMENT"),
        `keywright_rpc_duration_seconds_count{rpc="AdminVerifyApiKey",protocol="${protocol}",code="OK"}`,
        `keywright_rpc_in_flight{rpc="AdminVerifyApiKey",protocol="${protocol}"}`,
        `keywright_rpc_in_flight{rpc="AdminGetIssuedApiKey",protocol="${protocol}"}`,
      ],
      async () => {
        const replies = [
          await client.call("AdminVerifyApiKey", { credential: secret }),
          await client.call("AdminGetIssuedApiKey", absent),
          await client.call("AdminGetIssuedApiKey", absent, { token: "wrong" }),
          await client.call("AdminListIssuedApiKeys", { page_size: -1 }),
        ];
        outcomes.push(...replies.map((reply) => (reply.ok ? codeName(0) : reply.code)));
      },
    );
    expect(outcomes).toEqual(["OK", "NOT_FOUND", "UNAUTHENTICATED", "INVALID_ARGUMENT"]);
    expect(rises).toEqual([1, 1, 1, 1, 1, 0, 0]);
  });

  test("calls whose body cannot be read count too, and none stays in flight", async () => {
    const send = httpSender(server.url, server.adminToken);
    const rises = await rise(
      [
        calls("AdminVerifyApiKey", "json-http", "INVALID_ARGUMENT"),
        calls("AdminVerifyApiKey", "connect", "INVALID_ARGUMENT"),
        calls("AdminVerifyApiKey", "connect", "DEADLINE_EXCEEDED"),
      ],
      async () => {
        await send("POST", "/v2alpha1/admin/apiKeys:verify", { body: "{" });
        await send("POST", `${rpcPath}/AdminVerifyApiKey`, { body: "{" });
        await bodyThatNeverComes({ "connect-timeout-ms": "20" });
      },
    );
    expect(rises).toEqual([1, 1, 1]);
    const { text } = await scrape(server);
    expect(text.match(/^keywright_rpc_in_flight\{.*$/gm)?.every((line) => line.endsWith(" 0"))).toBe(true);
  });
});

test("verifications are counted by the presented kind and the outcome", async () => {
  const client = clients[0] as Client;
  const verify = (credential: string) => succeed(client, "AdminVerifyApiKey", { credential });
  const of = (credential: string, outcome: string) => `keywright_verifications_total{credential="${credential}",outcome="${outcome}"}`;
  const rises = await rise(
    [
      of("issued", "valid"),
      of("issued", "not_found"),
      of("imported", "not_found"),
      of("macaroon", "invalid_format"),
      of("none", "invalid_format"),
    ],
    async () => {
      await verify(secret);
      await verify(`${secret.slice(0, -1)}${secret.endsWith("A") ? "B" : "A"}`);
      await verify("a-key-that-nobody-imported");
      await verify("mc_v1_AAAA");
      await verify(" ");
      await succeed(client, "AdminBatchVerifyApiKeys", { requests: [{ credential: secret }, { credential: secret }] });
    },
  );
  expect(rises).toEqual([3, 1, 1, 1, 1]);
});

test("signatures of derived tokens are counted: checked once, then remembered", async () => {
  const client = clients[0] as Client;
  const derived = await succeed(client, "AdminDeriveToken", { credential: secret, algorithm: "TOKEN_ALGORITHM_JWT" });
  const token = String(asObject(derived.token).token);
  const of = (outcome: string) => `keywright_token_signatures_total{outcome="${outcome}"}`;
  const rises = await rise(
    [of("checked"), of("remembered"), 'keywright_verifications_total{credential="jwt",outcome="valid"}'],
    async () => {
      for (let round = 0; round < 3; round += 1) await succeed(client, "AdminVerifyApiKey", { credential: token });
    },
  );
  expect(rises).toEqual([1, 2, 3]);
});

test("reads are counted at the level that answered them", async () => {
  const client = clients[0] as Client;
  const { secret: fresh } = await succeed(client, "AdminIssueApiKey", { name: "fresh" });
  const at = (level: string, outcome: string) => `keywright_cache_reads_total{level="${level}",outcome="${outcome}"}`;
  const verify = (headers: Record<string, string> = {}) => succeed(client, "AdminVerifyApiKey", { credential: String(fresh) }, { headers });
  const rises = await rise(
    [
      at("process", "miss"),
      at("process", "hit"),
      at("process", "bypass"),
      at("store", "hit"),
      'keywright_store_operation_duration_seconds_count{operation="get"}',
    ],
    async () => {
      await verify();
      await verify();
      await verify();
      await verify({ "cache-control": "no-cache" });
      await verify({ "cache-control": "no-store" });
    },
  );
  expect(rises).toEqual([1, 2, 2, 3, 3]);
});

test("a scrape names no key, actor, caller or address, and contains no secret", async () => {
  const { text, types } = await scrape(server);
  for (const unwanted of [secret, keyId, "actor-of-metrics", server.adminToken, "127.0.0.1"]) expect(text).not.toContain(unwanted);
  // Names as Prometheus recommends: base units, and _total only on counters.
  for (const [name, type] of types) expect(name.endsWith("_total"), name).toBe(type === "counter");
});

test("process metrics are present: CPU, memory, event loop, garbage collections", async () => {
  const { value }: Scrape = await scrape(server);
  expect(value("process_cpu_seconds_total")).toBeGreaterThan(0.1);
  expect(value("process_resident_memory_bytes")).toBeGreaterThan(10_000_000);
  expect(Math.abs((value("process_start_time_seconds") as number) - Date.now() / 1000)).toBeLessThan(600);
  expect(value('nodejs_eventloop_delay_seconds{quantile="0.99"}')).toBeLessThan(5);
  expect(value('nodejs_gc_duration_seconds_count{kind="minor"}')).toBeGreaterThan(0);
  expect(value("keywright_connections")).toBeGreaterThan(0);
});

describe("the metrics port", () => {
  test("answers only GET and HEAD of /metrics, and the API's port has no metrics", async () => {
    const url = metricsUrl(server);
    const { origin } = new URL(url);
    const got = await fetch(url);
    expect([got.status, got.headers.get("content-type")]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
    const head = await fetch(url, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    const posted = await fetch(url, { method: "POST", body: "x" });
    expect([posted.status, posted.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    for (const path of ["/", "/metrics/", "/health/ready", "/v2alpha1/admin/issuedApiKeys", `${rpcPath}/GetJwks`]) {
      expect((await fetch(`${origin}${path}`)).status, path).toBe(404);
    }
    expect((await fetch(`${server.url}/metrics`)).status).toBe(404);
  });

  test("is not opened unless it is configured", async () => {
    await using plain = await startServerHere();
    expect(plain.output()).not.toContain("metricsUrl");
  });
});

test("every metric is set or counted somewhere: code outside of the definitions asks for a series of it", () => {
  const folder = join(import.meta.dirname, "../../src");
  const definitions = /telemetry.metrics.(?:.*-)?metrics\.ts$/;
  const sources = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !definitions.test(path))
    .map((path) => readFileSync(join(folder, path), "utf8"))
    .join("\n");
  const { registry: _, ...metrics } = createMetrics("0.0.0");
  for (const name of Object.keys(metrics)) {
    expect(sources, name).toMatch(new RegExp(`\\b${name}\\.of\\(|\\btimeOperations\\([^)]*\\bmetrics\\.${name}\\b`));
  }
});
