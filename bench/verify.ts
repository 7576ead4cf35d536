import { mkdtemp, readFile, rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { create, fromJson, toBinary } from "@bufbuild/protobuf";
import { VerifyApiKeyRequestSchema, VerifyApiKeyResponseSchema } from "../gen/keywright/v2alpha1/verification_pb.ts";
import { writeEnvelope } from "../src/connect/envelope.ts";
import { startBackends } from "./backends.ts";
import { type Child, startChild } from "./child.ts";
import { type Contender, measureSlice, warmUp } from "./contender.ts";
import { http1Load } from "./http1-load.ts";
import { http1Request } from "./http1-request.ts";
import { http2Load } from "./http2-load.ts";
import type { Load } from "./load.ts";
import { median } from "./median.ts";

/**
 * `node bench/verify.ts [rounds] [slice in ms] [part of a name]` measures verifications per second and server CPU per request, against bare
 * servers that read and answer the same bytes. All run at once and are loaded in turns, in short slices, so that other load of the machine
 * affects all of them alike.
 *
 * With `observed` as the part of a name, it measures cached verifications with metrics, traces and logs switched on, each alone in a
 * process of its own, against one with all of them off.
 */
const rounds = Number(process.argv[2] ?? 7);
const sliceMs = Number(process.argv[3] ?? 700);
/** Measures only contenders whose name contains this, and the bare servers. */
const wanted = process.argv[4] ?? "";
const connections = 32;
const http2Width = { connections: 4, streams: 16 };

interface Compared extends Contender {
  /** Name of the bare contender to compare with. */
  readonly bare?: string;
}

const jsonPath = "/v2alpha1/admin/apiKeys:verify";
const rpcPath = "/keywright.v2alpha1.ApiKeysService/AdminVerifyApiKey";

/** The contender with which the other observed ones are compared. */
const plainName = "observed: nothing";

const bareHttpName = "bare node:http";
const bareHttp2Name = "bare node:http2";

/** A limit that is enforced in each verification but never reached. */
const neverReached = { rate_limit_policy: { quota: "1000000000", window: "3600s" } };

await using resources = new AsyncDisposableStack();
const dataDir = await mkdtemp(join(tmpdir(), "keywright-bench-"));
const children: Child[] = [];
try {
  await measure();
} finally {
  await Promise.all(children.map((child) => child.stop()));
  await rm(dataDir, { recursive: true, force: true });
}

async function measure(): Promise<void> {
  const keywright = await start("../src/main.ts", [], { KEYWRIGHT_PORT: "0", KEYWRIGHT_DATA_DIR: dataDir, KEYWRIGHT_LOG_LEVEL: "info" });
  const token = (await readFile(join(dataDir, "admin-token"), "utf8")).trim();
  const field = createField(token);
  await addOwn(field, keywright, token);
  if (["Redis, cached", "Redis, cached, limit"].some(isWanted)) await addShared(field, token);
  if (wanted.startsWith("observed")) await addObserved(field, token);

  console.info("warming up");
  await warmUp(field.contenders, sliceMs);
  for (let round = 0; round < rounds; round += 1) {
    for (const contender of field.contenders) await measureSlice(contender, sliceMs);
  }
  for (const { load } of field.contenders) load.close();
  print(field.contenders);
}

function isWanted(name: string): boolean {
  return name.startsWith("bare") || name.includes(wanted);
}

type Headers = readonly (readonly [string, string])[];

/** The wanted contenders. `answer` is the server's response for this credential, as JSON. */
interface Field {
  readonly contenders: Compared[];
  json(name: string, child: Child, credential: string, more?: Readonly<Record<string, string>>, path?: string): Promise<void>;
  grpc(name: string, child: Child, credential: string, answer: string, more?: Headers): Promise<void>;
}

function createField(token: string): Field {
  const contenders: Compared[] = [];
  const add = (name: string, bare: string, child: Child, load: Load) =>
    contenders.push({ name, ...(name === bare ? {} : { bare }), child, load, perSecond: [], cpuMicroseconds: [] });
  return {
    contenders,
    async json(name, child, credential, more = {}, path = jsonPath) {
      if (!isWanted(name)) return;
      const load = await http1Load(child.port, [http1Request(path, token, { credential }, more)], connections);
      add(name, name.startsWith("observed") ? plainName : bareHttpName, child, load);
    },
    async grpc(name, child, credential, answer, more = []) {
      if (!isWanted(name)) return;
      const message = toBinary(VerifyApiKeyRequestSchema, create(VerifyApiKeyRequestSchema, { credential }));
      const answerLength = 5 + protobufLength(answer);
      const load = await http2Load(child.port, [...grpcHeaders(token), ...more], writeEnvelope(message), answerLength, http2Width);
      add(name, bareHttp2Name, child, load);
    },
  };
}

/** Adds one process with SQLite, by protocol and by outcome, and the bare servers that send the same bytes. */
async function addOwn(field: Field, keywright: Child, token: string): Promise<void> {
  const [valid, expired] = [await issue(keywright.port, token, {}), await issue(keywright.port, token, { ttl: "1s" })];
  const forged = valid.slice(0, -1) + (valid.endsWith("A") ? "B" : "A");
  await new Promise((wake) => setTimeout(wake, 1100));
  const answerTo = (credential: string) => post(keywright.port, jsonPath, token, { credential });
  const answer = await answerTo(valid);
  const bareHttp = await start("bare-http.ts", [answer], {});
  const bareHttp2 = await start("bare-http2.ts", [String(protobufLength(answer))], {});
  console.info(`start of the process to listening: ${startOf(keywright)}; bare node:http ${startOf(bareHttp)}`);
  await field.json(bareHttpName, bareHttp, valid);
  await field.json("JSON/HTTP, cached", keywright, valid);
  await field.json("JSON/HTTP, cached, limit", keywright, await issue(keywright.port, token, neverReached));
  await field.json("JSON/HTTP, no-store", keywright, valid, { "cache-control": "no-store" });
  await field.json("JSON/HTTP, forged", keywright, forged);
  await field.json("JSON/HTTP, expired", keywright, expired);
  await field.json("Connect JSON, cached", keywright, valid, {}, rpcPath);
  await field.grpc(bareHttp2Name, bareHttp2, valid, answer);
  await field.grpc("gRPC, cached", keywright, valid, answer);
  await field.grpc("gRPC, no-store", keywright, valid, answer, [["cache-control", "no-store"]]);
  await field.grpc("gRPC, forged", keywright, forged, await answerTo(forged));
  await field.grpc("gRPC, expired", keywright, expired, await answerTo(expired));
}

function startOf({ startMs, startCpuMs }: Child): string {
  return `${startMs.toFixed(0)} ms (${startCpuMs.toFixed(0)} ms CPU)`;
}

/** Adds a process with Redis. */
async function addShared(field: Field, token: string): Promise<void> {
  const { redis, settings } = await startBackends(dataDir, token, resources);
  const folder = { KEYWRIGHT_DATA_DIR: join(dataDir, "shared") };
  const shared = await start("../src/main.ts", [], { ...settings, ...folder, KEYWRIGHT_CACHE: redis.uri });
  await field.json("Redis, cached", shared, await issue(shared.port, token, {}));
  await field.json("Redis, cached, limit", shared, await issue(shared.port, token, neverReached));
}

/** Adds processes with one observer each, and one without. */
async function addObserved(field: Field, token: string): Promise<void> {
  const sink = await start("otlp-sink.ts", [], {});
  const traced = (ratio: string) => ({
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${sink.port}`,
    OTEL_TRACES_SAMPLER: "traceidratio",
    OTEL_TRACES_SAMPLER_ARG: ratio,
  });
  const observed: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    [plainName]: {},
    "observed: metrics": { KEYWRIGHT_METRICS_PORT: "0" },
    "observed: traces 1 %": traced("0.01"),
    "observed: traces 100 %": traced("1"),
    "observed: logs 1 %": { KEYWRIGHT_LOG_SAMPLING: "0.01" },
  };
  for (const [name, settings] of Object.entries(observed)) {
    const folder = { KEYWRIGHT_PORT: "0", KEYWRIGHT_DATA_DIR: join(dataDir, name.replaceAll(/\W/g, "")) };
    const child = await start("../src/main.ts", [], { ...folder, KEYWRIGHT_ADMIN_TOKEN: token, ...settings });
    await field.json(name, child, await issue(child.port, token, {}));
  }
}

function print(contenders: readonly Compared[]): void {
  console.info(`medians of ${rounds} slices of ${sliceMs} ms; ${cpus().length} x ${cpus()[0]?.model}; Node ${process.version}`);
  console.info(
    `${"".padEnd(26)}${"a second".padStart(10)}${"CPU us".padStart(9)}${"throughput / bare".padStart(20)}${"CPU / bare".padStart(13)}`,
  );
  for (const { name, bare, perSecond, cpuMicroseconds: cpu } of contenders) {
    const base = contenders.find((candidate) => candidate.name === bare);
    const ratio = (own: readonly number[], others: readonly number[] | undefined) =>
      others === undefined ? "" : (median(own) / median(others)).toFixed(2);
    console.info(
      `${name.padEnd(26)}${median(perSecond).toFixed(0).padStart(10)}${median(cpu).toFixed(1).padStart(9)}` +
        `${ratio(perSecond, base?.perSecond).padStart(20)}${ratio(cpu, base?.cpuMicroseconds).padStart(13)}`,
    );
  }
}

async function start(file: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<Child> {
  const child = await startChild(resolve(import.meta.dirname, file), args, env);
  children.push(child);
  return child;
}

async function issue(port: number, token: string, more: object): Promise<string> {
  const body = { name: "bench", actor_id: "user_2f6b8c1a", scopes: ["orders:read", "orders:write"], metadata: { team: "bench" }, ...more };
  return (JSON.parse(await post(port, "/v2alpha1/admin/issuedApiKeys", token, body)) as { secret: string }).secret;
}

async function post(port: number, path: string, token: string, body: object): Promise<string> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
  return text;
}

function grpcHeaders(token: string): [string, string][] {
  return [
    [":path", rpcPath],
    [":authority", "localhost"],
    ["authorization", `Bearer ${token}`],
    ["content-type", "application/grpc+proto"],
    ["te", "trailers"],
  ];
}

/** Returns the length of the same answer as protobuf. */
function protobufLength(jsonAnswer: string): number {
  return toBinary(VerifyApiKeyResponseSchema, fromJson(VerifyApiKeyResponseSchema, JSON.parse(jsonAnswer))).length;
}
