import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect as connectTcp, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Health, HealthCheckResponse_ServingStatus } from "../../gen/grpc/health/v1/health_pb.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";
import { http2Load } from "./drain-http2-load.ts";
import { grpcLoad, http1Load } from "./drain-load.ts";
import { jsonHttpClient } from "./key-client.ts";

const mainFile = resolve(import.meta.dirname, "../../src/main.ts");
let dataDir = "";
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "keywright-drain-"));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

test("after SIGTERM under load accepted requests are answered, and the exit code is 0", async () => {
  // Longer than `stop` waits: nothing has to be cut.
  await using server = await startServer({ dataDir, env: { KEYWRIGHT_DRAIN_TIMEOUT: "60s" } });
  const overHttp2 = http2Load(server, 4);
  const loads = [http1Load(server, 4), overHttp2, grpcLoad(server, 4)];
  const watched = watchHealth(server);
  await expect.poll(() => Math.min(...loads.map(({ outcome }) => outcome.acknowledged.length)), { timeout: 30_000 }).toBeGreaterThan(30);

  const exitCode = server.stop();
  await Promise.all(loads.map((load) => load.done));
  expect(await exitCode).toBe(0);
  // A load balancer that watches must be notified, or it keeps sending.
  expect(await watched).toEqual([HealthCheckResponse_ServingStatus.SERVING, HealthCheckResponse_ServingStatus.NOT_SERVING]);

  const stored = await actorsOf(dataDir);
  const [http1, http2, grpc] = loads.map(({ outcome: { acknowledged, refused, unanswered } }) => {
    expect(refused).toEqual([]);
    expect(acknowledged.filter((actorId) => !stored.has(actorId))).toEqual([]);
    // A key whose issue was never answered would be an accepted request that was dropped.
    expect(unanswered.filter((actorId) => stored.has(actorId))).toEqual([]);
    return { acknowledged, unanswered };
  });
  // HTTP/2 notifies its clients first, so they stop by themselves.
  expect(http2?.unanswered).toEqual([]);
  const [notice, ...last] = overHttp2.goaways;
  expect([notice, ...new Set(last)]).toEqual([2 ** 31 - 1, overHttp2.lastStreamId()]);
  console.info(`answered: HTTP/1.1 ${http1?.acknowledged.length}, HTTP/2 ${http2?.acknowledged.length}, gRPC ${grpc?.acknowledged.length}`);
});

/** A request whose body does not end. Resolves once the server has it and asks for the body. */
async function hangingRequest(port: number): Promise<Socket> {
  const hanging = connectTcp(port, "127.0.0.1").on("error", () => {});
  const head = ["POST /v2alpha1/apiKeys:selfRevoke HTTP/1.1", "Host: localhost", "Content-Type: application/json", "Content-Length: 100"];
  hanging.write([...head, "Expect: 100-continue", "", "{"].join("\r\n"));
  const [answer] = (await once(hanging, "data")) as [Buffer];
  expect(String(answer)).toContain("100 Continue");
  return hanging;
}

test("while a request is in progress new connections are refused, and after KEYWRIGHT_DRAIN_TIMEOUT it is cut", async () => {
  await using server = await startServer({ dataDir, env: { KEYWRIGHT_DRAIN_TIMEOUT: "2s" } });
  const hanging = await hangingRequest(server.port);
  const cut = once(hanging, "close");

  const begunMs = performance.now();
  const exitCode = server.stop();
  const connecting = () => connection(server.port).then(() => "connected", codeOf);
  await expect.poll(connecting, { timeout: 1500 }).toBe("ECONNREFUSED");
  expect(hanging.destroyed).toBe(false);
  await cut;
  expect(await exitCode).toBe(0);
  const tookMs = performance.now() - begunMs;
  expect(tookMs).toBeGreaterThan(1900);
  expect(tookMs).toBeLessThan(8000);
});

test("a second SIGTERM ends the process at once with 1", async () => {
  await using server = await startServer({ dataDir, env: { KEYWRIGHT_DRAIN_TIMEOUT: "60s" } });
  await hangingRequest(server.port);
  process.kill(server.pid, "SIGTERM");
  await expect.poll(server.output, { timeout: 20_000 }).toContain('"closing"');
  const begunMs = performance.now();
  expect(await server.stop()).toBe(1);
  expect(performance.now() - begunMs).toBeLessThan(5000);
});

test("last uses that are still buffered are written before the exit", async () => {
  const before = await startServer({ dataDir });
  const key = await jsonHttpClient(before).issue();
  expect(await lastUsedTime(before, key.keyId)).toBeUndefined();
  const usedMs = Date.now();
  expect(await jsonHttpClient(before).verify(key.secret)).toBe("VALID");
  expect(await before.stop()).toBe(0);

  await using after = await startServer({ dataDir });
  const time = await lastUsedTime(after, key.keyId);
  expect(Math.abs(Date.parse(String(time)) - usedMs)).toBeLessThan(5000);
});

test("a second server on the same data folder fails with a clear message and leaves the first alone", async () => {
  await using first = await startServer({ dataDir });
  const key = await jsonHttpClient(first).issue();
  const second = spawnSync(process.execPath, [mainFile], {
    env: { ...process.env, KEYWRIGHT_PORT: "0", KEYWRIGHT_DATA_DIR: dataDir },
    encoding: "utf8",
  });
  expect(second.status).toBeGreaterThan(0);
  expect(second.stderr).toContain(dataDir);
  expect(second.stderr).toMatch(/another Keywright/);
  expect(await jsonHttpClient(first).verify(key.secret)).toBe("VALID");
  expect(await jsonHttpClient(first).issue()).toMatchObject({ keyId: expect.any(String) });
});

/** The statuses that a Watch stream sends until it ends. */
async function watchHealth({ url }: ServerProcess): Promise<HealthCheckResponse_ServingStatus[]> {
  const statuses: HealthCheckResponse_ServingStatus[] = [];
  const client = createClient(Health, createGrpcTransport({ baseUrl: url }));
  for await (const { status } of client.watch({})) statuses.push(status);
  return statuses;
}

/** The `actor_id` of every key in the store, as a new process finds them. */
async function actorsOf(folder: string): Promise<Set<string>> {
  await using server = await startServer({ dataDir: folder });
  const actors = new Set<string>();
  for (let pageToken = ""; ; ) {
    const query = new URLSearchParams({ page_size: "1000", page_token: pageToken });
    const response = await fetch(`${server.url}/v2alpha1/admin/issuedApiKeys?${query}`, {
      headers: { authorization: `Bearer ${server.adminToken}` },
    });
    const page = (await response.json()) as { issued_api_keys: { actor_id: string }[]; next_page_token: string };
    for (const key of page.issued_api_keys) actors.add(key.actor_id);
    if (!page.next_page_token) return actors;
    pageToken = page.next_page_token;
  }
}

async function lastUsedTime({ url, adminToken }: ServerProcess, keyId: string): Promise<string | undefined> {
  const response = await fetch(`${url}/v2alpha1/admin/issuedApiKeys/${keyId}`, { headers: { authorization: `Bearer ${adminToken}` } });
  return ((await response.json()) as { last_used_time?: string }).last_used_time;
}

function codeOf(error: NodeJS.ErrnoException): string | undefined {
  return error.code;
}

async function connection(port: number): Promise<void> {
  const socket = connectTcp(port, "127.0.0.1");
  await once(socket, "connect").finally(() => socket.destroy());
}
