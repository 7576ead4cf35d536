import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { request } from "node:http";
import { connect } from "node:http2";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startBackends } from "./backends.ts";
import { startChild } from "./child.ts";
import { minPauseMs, type Recording } from "./tail/recording.ts";
import { createWitness } from "./tail/stacks.ts";
import { cases, largest, usual, type Wire } from "./turns/cases.ts";

/**
 * `node bench/turns.ts [--sqlite] [--rounds 6] [--only <text>]` measures the longest turn of the event loop for each kind of request in the
 * largest size that the limits allow, and names what ran in it. One request at a time, on MongoDB and Redis unless told otherwise.
 */
const { values } = parseArgs({
  options: { sqlite: { type: "boolean", default: false }, rounds: { type: "string", default: "6" }, only: { type: "string", default: "" } },
});
/** In the first rounds V8 still compiles. */
const coldRounds = 3;
const rounds = Number(values.rounds);
const token = randomBytes(32).toString("hex");

await using resources = new AsyncDisposableStack();
const folder = await mkdtemp(join(tmpdir(), "keywright-turns-"));
resources.defer(() => rm(folder, { recursive: true, force: true }));
const record = join(folder, "record.json");
const backends = values.sqlite ? undefined : await startBackends(folder, token, resources);
const server = await startChild(
  resolve(import.meta.dirname, "../src/main.ts"),
  [],
  {
    KEYWRIGHT_PORT: "0",
    KEYWRIGHT_ADMIN_TOKEN: token,
    KEYWRIGHT_DATA_DIR: folder,
    KEYWRIGHT_CACHE_TTL: "1h",
    TAIL_SAMPLE_US: "1000",
    TAIL_EVERY_TURN: "1",
    TAIL_RECORD: record,
    ...(backends === undefined ? {} : { ...backends.settings, KEYWRIGHT_CACHE: backends.redis.uri }),
  },
  ["--import", join(import.meta.dirname, "tail/recorder.ts")],
);
resources.defer(() => server.stop());

console.info(`${"longest turn".padStart(13)}${"request".padStart(10)}${"body".padStart(9)}`);
for (const { name, wire } of cases(await fillEstate()).filter(({ name }) => name.includes(values.only))) {
  for (let round = 0; round < coldRounds; round += 1) await send(wire(round));
  process.kill(server.pid, "SIGUSR2");
  await sleep(500);
  const tookMs: number[] = [];
  let bytes = 0;
  for (let round = coldRounds; round < coldRounds + rounds; round += 1) {
    const one = wire(round);
    bytes = one.body.length;
    const begunMs = performance.now();
    await send(one);
    tookMs.push(performance.now() - begunMs);
  }
  // Work that goes on after the response, such as the flush of last uses.
  await sleep(1200);
  process.kill(server.pid, "SIGUSR2");
  report(name, bytes, Math.max(...tookMs), await takeRecording());
}

function report(name: string, bytes: number, tookMs: number, recording: Recording): void {
  const witness = createWitness(recording);
  const [longest] = recording.pauses.toSorted((a, b) => b.cpuMs - a.cpuMs);
  const figures = [longest === undefined ? `< ${minPauseMs}` : longest.cpuMs.toFixed(0), tookMs.toFixed(0)];
  const [turn, request] = figures.map((text) => `${text} ms`);
  console.info(`${turn?.padStart(13)}${request?.padStart(10)}${`${(bytes / 1024).toFixed(0)} KiB`.padStart(11)}  ${name}`);
  for (const pause of recording.pauses.toSorted((a, b) => b.cpuMs - a.cpuMs).slice(0, 3)) {
    if (pause.cpuMs > 15) console.info(`${" ".repeat(15)}${pause.cpuMs.toFixed(0)}: ${witness(pause)}`);
  }
}

async function takeRecording(): Promise<Recording> {
  while (!existsSync(record)) await sleep(20);
  const recording = JSON.parse(await readFile(record, "utf8")) as Recording;
  await rm(record);
  return recording;
}

async function fillEstate() {
  const post = async (path: string, body: object) => {
    const sent = { method: "POST", path, headers: { "content-type": "application/json" }, body: Buffer.from(JSON.stringify(body)) };
    return JSON.parse((await sendHttp(sent, 20)).toString()) as Record<string, unknown>;
  };
  for (const item of [largest, usual]) {
    await post("/v2alpha1/admin/importedApiKeys:batchImport", { requests: Array.from({ length: 1000 }, (_, index) => item(index, -1)) });
  }
  const { raw_key: _, ...attributes } = largest(0);
  const issue = async () => String((await post("/v2alpha1/admin/issuedApiKeys", attributes)).secret);
  const secrets = await Promise.all(Array.from({ length: 100 }, issue));
  const derive = async (credential: string) => {
    const claims = { custom_claims: { claim: "c".repeat(3900) } };
    const { token: made } = await post("/v2alpha1/admin/apiKeys:derive", { credential, algorithm: "TOKEN_ALGORITHM_MACAROON", ...claims });
    return String((made as { readonly token: string }).token);
  };
  return { secrets, macaroons: await Promise.all(secrets.map(derive)) };
}

function send(wire: Wire): Promise<Buffer> {
  return wire.protocol === "grpc" ? sendGrpc(wire) : sendHttp(wire);
}

async function sendHttp({ method, path, headers, body }: Omit<Wire, "protocol">, retries = 1): Promise<Buffer> {
  const authorization = `Bearer ${token}`;
  const options = { port: server.port, host: "127.0.0.1", method, path, agent: false as const };
  const sent = request({ ...options, headers: { ...headers, authorization, "content-length": body.length } });
  sent.end(body);
  const [response] = await once(sent, "response");
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const answer = Buffer.concat(chunks);
  // A machine that is busy with other work.
  if (response.statusCode === 503 && retries > 0) return sendHttp({ method, path, headers, body }, retries - 1);
  if (response.statusCode === 503) return answer;
  if (response.statusCode >= 500) throw new Error(`${method} ${path}: ${response.statusCode} ${answer.toString("utf8", 0, 300)}`);
  return answer;
}

async function sendGrpc({ path, headers, body }: Wire): Promise<Buffer> {
  const session = connect(`http://127.0.0.1:${server.port}`);
  const stream = session.request({ ":method": "POST", ":path": path, ...headers, authorization: `Bearer ${token}` });
  stream.end(body);
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  session.close();
  return Buffer.concat(chunks);
}
