import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { CheckRequestSchema } from "../gen/envoy/service/auth/v3/external_auth_pb.ts";
import { gatewayProgram } from "../scripts/test-gateways.ts";
import { freePorts } from "../test/support/free-port.ts";
import { type Child, cpuMicroseconds, startChild } from "./child.ts";
import { http1Load } from "./http1-load.ts";
import type { Load } from "./load.ts";
import { median } from "./median.ts";

/**
 * `node bench/gateways.ts [rounds] [slice in ms]` measures requests through one Envoy that answers them itself: without a check, with a
 * check by bare gRPC servers that always answer what Keywright answers (node:http2 alone, and grpc-js), and with one by Keywright. In
 * turns, so that other load of the machine affects all of them alike. Times of answers are measured with few connections, requests a second
 * with many.
 */
const rounds = Number(process.argv[2] ?? 9);
const sliceMs = Number(process.argv[3] ?? 700);
const warmUpRequests = 15_000;
const manyConnections = 32;
const fewConnections = 4;

interface Contender {
  readonly name: string;
  /** The process that Envoy asks. */
  readonly asked: Child | undefined;
  readonly many: Load;
  readonly few: Load;
  readonly perSecond: number[];
  readonly cpuMicroseconds: number[];
  /** Milliseconds that answers took, of all slices with few connections. */
  readonly tookMs: number[];
}

const dataDir = await mkdtemp(join(tmpdir(), "keywright-bench-"));
const stops: (() => Promise<unknown>)[] = [];
try {
  await measure();
} finally {
  await Promise.all(stops.map((stop) => stop()));
  await rm(dataDir, { recursive: true, force: true });
}

async function measure(): Promise<void> {
  const settings = { KEYWRIGHT_PORT: "0", KEYWRIGHT_DATA_DIR: dataDir, KEYWRIGHT_LOG_LEVEL: "info" };
  const keywright = await start("../src/main.ts", [], settings);
  const token = (await readFile(join(dataDir, "admin-token"), "utf8")).trim();
  const key = await issue(keywright.port, token);
  const answer = (await answerOf(keywright.port, token, key)).toString("base64url");
  const http2 = await start("bare-http2.ts", [answer], {});
  const grpcJs = await start("bare-grpc-js.ts", [answer], {});
  const [none = 0, byHttp2 = 0, byGrpcJs = 0, byKeywright = 0] = await freePorts(4);
  const listeners = [
    [none, undefined],
    [byHttp2, http2.port],
    [byGrpcJs, grpcJs.port],
    [byKeywright, keywright.port],
  ] as const;
  await startEnvoy(listeners, token, none);
  const request = Buffer.from(`GET /orders/1 HTTP/1.1\r\nhost: api.example\r\nuser-agent: bench\r\nauthorization: Bearer ${key}\r\n\r\n`);
  const contenders = [
    await contend("Envoy alone", undefined, none, request),
    await contend("with bare node:http2", http2, byHttp2, request),
    await contend("with bare grpc-js", grpcJs, byGrpcJs, request),
    await contend("with Keywright", keywright, byKeywright, request),
  ];
  await warmUp(contenders);
  for (let round = 0; round < rounds; round += 1) {
    for (const contender of contenders) await measureSlices(contender);
  }
  for (const { many, few } of contenders) for (const load of [many, few]) load.close();
  print(contenders);
}

async function contend(name: string, asked: Child | undefined, port: number, request: Buffer): Promise<Contender> {
  const tookMs: number[] = [];
  const many = await http1Load(port, [request], manyConnections);
  const few = await http1Load(port, [request], fewConnections, (took) => tookMs.push(took));
  return { name, asked, many, few, perSecond: [], cpuMicroseconds: [], tookMs };
}

/** V8's last compiler runs after some ten thousand requests. */
async function warmUp(contenders: readonly Contender[]): Promise<void> {
  for (const { many, few, tookMs } of contenders) {
    for (let requests = 0; requests < warmUpRequests; ) requests += await many.run(sliceMs);
    await few.run(sliceMs);
    tookMs.length = 0;
  }
}

async function measureSlices({ asked, many, few, perSecond, cpuMicroseconds: cpu }: Contender): Promise<void> {
  const cpuBefore = asked === undefined ? 0 : cpuMicroseconds(asked.pid);
  const begunMs = performance.now();
  const requests = await many.run(sliceMs);
  perSecond.push((requests / (performance.now() - begunMs)) * 1000);
  cpu.push(asked === undefined ? 0 : (cpuMicroseconds(asked.pid) - cpuBefore) / requests);
  await few.run(sliceMs);
}

function print(contenders: readonly Contender[]): void {
  console.info(`medians of ${rounds} slices of ${sliceMs} ms; ${cpus().length} x ${cpus()[0]?.model}; Node ${process.version}`);
  const [alone, ...bare] = contenders.slice(0, -1);
  const at = ({ tookMs }: Contender, share: number) =>
    tookMs.toSorted((a, b) => a - b)[Math.floor((tookMs.length - 1) * share)] ?? Number.NaN;
  console.info(`${"".padEnd(26)}a second  CPU us of who is asked  p50 ms  p99 ms  added p50  added p99  / node:http2  / grpc-js`);
  for (const contender of contenders) {
    const { name, perSecond, cpuMicroseconds: cpu } = contender;
    const added = (share: number) => (alone === undefined ? 0 : at(contender, share) - at(alone, share)).toFixed(2);
    const ratios = bare.map((other) => (median(perSecond) / median(other.perSecond)).toFixed(2).padStart(13)).join("");
    const columns = [
      median(cpu).toFixed(1).padStart(24),
      at(contender, 0.5).toFixed(2).padStart(8),
      at(contender, 0.99).toFixed(2).padStart(8),
    ];
    console.info(
      `${name.padEnd(26)}${median(perSecond).toFixed(0).padStart(8)}${columns.join("")}${added(0.5).padStart(11)}${added(0.99).padStart(11)}${ratios}`,
    );
  }
}

async function start(file: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<Child> {
  const child = await startChild(resolve(import.meta.dirname, file), args, env);
  stops.push(() => child.stop());
  return child;
}

/** One Envoy with a listener for each port. With an authorizer's port the listener asks it. */
async function startEnvoy(listeners: readonly (readonly [port: number, asked: number | undefined])[], token: string, ready: number) {
  const config = join(dataDir, "envoy.json");
  const asked = listeners.flatMap(([, port]) => (port === undefined ? [] : [port]));
  const resources = { listeners: listeners.map(([port, authorizer]) => listener(port, authorizer, token)), clusters: asked.map(cluster) };
  await writeFile(config, JSON.stringify({ static_resources: resources }));
  const { path, env } = await gatewayProgram("envoy");
  const args = ["--config-path", config, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"];
  const child: ChildProcess = spawn(path, args, { env: { ...process.env, ...env }, stdio: "inherit" });
  stops.push(async () => {
    child.kill("SIGTERM");
    if (child.exitCode === null) await once(child, "exit");
  });
  while (
    !(await fetch(`http://127.0.0.1:${ready}/`).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (child.exitCode !== null) throw new Error("Envoy ended");
    await new Promise((wake) => setTimeout(wake, 20));
  }
}

function type(name: string) {
  return { "@type": `type.googleapis.com/envoy.extensions.${name}` };
}

function listener(port: number, authorizer: number | undefined, token: string) {
  const router = { name: "router", typed_config: type("filters.http.router.v3.Router") };
  const filters = authorizer === undefined ? [router] : [extAuthz(authorizer, token), router];
  const routes = [{ match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: "ok" } } }];
  const manager = {
    ...type("filters.network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: "api",
    route_config: { virtual_hosts: [{ name: "api", domains: ["*"], routes }] },
    http_filters: filters,
  };
  return {
    address: { socket_address: { address: "127.0.0.1", port_value: port } },
    filter_chains: [{ filters: [{ name: "http", typed_config: manager }] }],
  };
}

function extAuthz(port: number, token: string) {
  const initial_metadata = [{ key: "authorization", value: `Bearer ${token}` }];
  const grpc_service = { envoy_grpc: { cluster_name: `asked-${port}` }, timeout: "5s", initial_metadata };
  return { name: "ext_authz", typed_config: { ...type("filters.http.ext_authz.v3.ExtAuthz"), transport_api_version: "V3", grpc_service } };
}

function cluster(port: number) {
  const address = { socket_address: { address: "127.0.0.1", port_value: port } };
  const options = { ...type("upstreams.http.v3.HttpProtocolOptions"), explicit_http_config: { http2_protocol_options: {} } };
  return {
    name: `asked-${port}`,
    connect_timeout: "1s",
    load_assignment: { cluster_name: `asked-${port}`, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
    typed_extension_protocol_options: { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options },
  };
}

/** Keywright's answer to a check, as bytes. */
async function answerOf(port: number, token: string, key: string): Promise<Buffer> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const attributes = { request: { http: { headers: { authorization: `Bearer ${key}` } } } };
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  const same = (bytes: Buffer) => bytes;
  const request = Buffer.from(toBinary(CheckRequestSchema, create(CheckRequestSchema, { attributes })));
  try {
    return await new Promise((resolve, reject) => {
      client.makeUnaryRequest("/envoy.service.auth.v3.Authorization/Check", same, same, request, metadata, (error, answer) =>
        answer === undefined ? reject(error) : resolve(answer),
      );
    });
  } finally {
    client.close();
  }
}

async function issue(port: number, token: string): Promise<string> {
  const body = JSON.stringify({
    name: "bench",
    actor_id: "user_2f6b8c1a",
    scopes: ["orders:read", "orders:write"],
    metadata: { team: "bench" },
  });
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const response = await fetch(`http://127.0.0.1:${port}/v2alpha1/admin/issuedApiKeys`, { method: "POST", headers, body });
  return ((await response.json()) as { secret: string }).secret;
}
