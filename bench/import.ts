import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { type Collection, MongoClient } from "mongodb";
import type { KeyDocument } from "../src/adapters/mongo/document.ts";
import { keyIndexes } from "../src/adapters/mongo/schema.ts";
import { generateJwkSet } from "../src/config/signing-key.ts";
import { startMongo } from "../test/support/mongo-server.ts";
import { type Child, cpuMicroseconds, startChild } from "./child.ts";
import { checkEstate, indexOf, writeInput } from "./import/estate.ts";
import { median } from "./median.ts";

/**
 * `node bench/import.ts [keys] [slice in ms] [mongod's cache in GiB]` measures keys imported with the migration tool into MongoDB, and bare
 * `insertMany` of the same documents, in the order of the file, with the same indexes and write concern. Tool and driver take turns in
 * slices: the tool is stopped (SIGSTOP) while the driver writes the documents that the tool has just written. A turn starts when mongod has
 * written out what the turn before left in its memory, so that each side pays for its own pages. In the middle the tool, and later the
 * server, is killed. At the end each key of the file must exist exactly once, as in the file.
 */
const keyCount = Number(process.argv[2] ?? 200_000);
const sliceMs = Number(process.argv[3] ?? 3000);
const cacheGb = Number(process.argv[4] ?? 4);
/** Everything counts as written if nothing new arrived for this long: no transaction may be in progress when the driver's turn starts. */
const settleMs = 1000;
/** mongod counts as idle if it uses less than this part of a core for this long; waits no longer than the limit. */
const idle = { part: 0.05, ms: 200, limitMs: 10_000 };
const inFlight = 4;
const batchSize = 1000;
const root = resolve(import.meta.dirname, "..");

await using resources = new AsyncDisposableStack();
const folder = await mkdtemp(join(tmpdir(), "keywright-bench-"));
resources.defer(() => rm(folder, { recursive: true, force: true }));
const mongo = await startMongo({ members: 1, cacheGb });
if ("unavailable" in mongo) throw new Error(mongo.unavailable);
const mongoUri = mongo.uri;
const mongodPid = mongo.members[0]?.pid ?? 0;
resources.defer(() => mongo.stop());
const client = new MongoClient(mongo.uri, { writeConcern: { w: "majority", journal: true } });
resources.defer(() => client.close());
const imported = client.db("tool").collection<KeyDocument>("keys", { useBigInt64: true });
const bare: Collection<KeyDocument> = client.db("bare").collection("keys", { useBigInt64: true });
await bare.createIndexes([...keyIndexes]);

const token = randomBytes(32).toString("hex");
const tokenFile = join(folder, "token");
await writeFile(tokenFile, token, { mode: 0o600 });
const signingKeys = join(folder, "signing-keys.json");
await writeFile(signingKeys, await generateJwkSet(), { mode: 0o600 });
const input = join(folder, "keys.csv");
await writeInput(input, keyCount);

const memory = { tool: [] as number[], server: [] as number[] };
let server = await startServer("0");
const { port } = server;
let tool = startTool();
let toolExit = once(tool, "exit");
resources.defer(async () => {
  tool.kill("SIGKILL");
  await server.stop();
});
const sampling = setInterval(sampleMemory, 250);
resources.defer(() => clearInterval(sampling));

/** Keys per second, and the CPU time of each process per key. */
interface Rate {
  readonly perSecond: number;
  readonly cpuUs: readonly number[];
}

interface Slice {
  /** Rate of tool, server and mongod. */
  readonly own: Rate;
  /** Rate of the driver in this process, and mongod. */
  readonly bare: Rate;
}
const slices: Slice[] = [];
const notes: string[] = [];
let isToolKilled = false;
let isServerKilled = false;
let written = 0;

await untilGrown(0);
while (isRunning(tool)) {
  const own = await toolSlice();
  const documents = await newDocuments();
  const other = await writeBare(documents);
  // The last slice ends with the input.
  if (!isRunning(tool)) break;
  if (documents.length > 0) slices.push({ own, bare: other });
  tool.kill("SIGCONT");
  if (!isToolKilled && written > keyCount * 0.35) {
    isToolKilled = true;
    await killTool();
  } else if (!isServerKilled && written > keyCount * 0.65) {
    isServerKilled = true;
    await killServer();
  }
}
if (tool.exitCode !== 0) throw new Error(`the tool exited with ${tool.exitCode}`);
// During the first slice V8 still compiles.
report(slices.length > 1 ? slices.slice(1) : slices);
await checkEstate(imported, keyCount, { port, token });

function startTool(): ChildProcess {
  const options = (process.env.BENCH_TOOL_OPTIONS ?? "").split(" ").filter((option) => option !== "");
  const args = [input, "--url", `http://127.0.0.1:${port}`, "--token-file", tokenFile, "--in-flight", String(inFlight)];
  return spawn(process.execPath, [...options, join(root, "scripts/import.ts"), ...args], { stdio: ["ignore", "inherit", "inherit"] });
}

function startServer(serverPort: string): Promise<Child> {
  return startChild(join(root, "src/main.ts"), [], {
    KEYWRIGHT_PORT: serverPort,
    KEYWRIGHT_DATA_DIR: folder,
    KEYWRIGHT_STORE: mongoUri.replace("/?", "/tool?"),
    KEYWRIGHT_SECRET: "s".repeat(32),
    KEYWRIGHT_ADMIN_TOKEN: token,
    KEYWRIGHT_SIGNING_KEYS: pathToFileURL(signingKeys).href,
  });
}

/** Lets the tool run, then stops it. Resolves once the server has finished what it received. */
async function toolSlice(): Promise<Rate> {
  const pids = [tool.pid ?? 0, server.pid, mongodPid];
  const before = await storedCount();
  const cpuBefore = pids.map(cpuOf);
  const begunMs = performance.now();
  await Promise.race([sleep(sliceMs), toolExit]);
  tool.kill("SIGSTOP");
  const { count, atMs } = await settledCount();
  await mongodIdle();
  const keys = count - before;
  return { perSecond: keys / ((atMs - begunMs) / 1000), cpuUs: pids.map((pid, index) => (cpuOf(pid) - (cpuBefore[index] ?? 0)) / keys) };
}

/** Returns 0 for a process that ended. */
function cpuOf(pid: number): number {
  try {
    return cpuMicroseconds(pid);
  } catch {
    return 0;
  }
}

function storedCount(): Promise<number> {
  return imported.estimatedDocumentCount();
}

/** Returns the number of keys once no more arrive, and when the last one arrived. */
async function settledCount(): Promise<{ count: number; atMs: number }> {
  let count = await storedCount();
  let atMs = performance.now();
  while (performance.now() - atMs < settleMs) {
    await sleep(10);
    const now = await storedCount();
    if (now !== count) [count, atMs] = [now, performance.now()];
  }
  return { count, atMs };
}

async function untilGrown(count: number): Promise<void> {
  while (isRunning(tool) && (await storedCount()) <= count) await sleep(20);
}

/** Resolves once mongod has written its dirty pages. */
async function mongodIdle(): Promise<void> {
  const untilMs = performance.now() + idle.limitMs;
  for (let before = cpuOf(mongodPid); performance.now() < untilMs; before = cpuOf(mongodPid)) {
    await sleep(idle.ms);
    if (cpuOf(mongodPid) - before < idle.part * idle.ms * 1000) return;
  }
}

/** Returns what the tool has written since the last call, in the order of the file: nobody writes now, so that is the natural order. */
async function newDocuments(): Promise<KeyDocument[]> {
  const documents = await imported.find({}, { sort: { $natural: 1 }, skip: written, batchSize: 10_000 }).toArray();
  written += documents.length;
  return documents.sort((a, b) => indexOf(a) - indexOf(b));
}

async function writeBare(documents: readonly KeyDocument[]): Promise<Rate> {
  const pids = [process.pid, mongodPid];
  const cpuBefore = pids.map(cpuOf);
  const begunMs = performance.now();
  let next = 0;
  const worker = async () => {
    while (next < documents.length) {
      const batch = documents.slice(next, next + batchSize);
      next += batchSize;
      await bare.insertMany(batch, { ordered: false });
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const perSecond = documents.length / ((performance.now() - begunMs) / 1000);
  await mongodIdle();
  return { perSecond, cpuUs: pids.map((pid, index) => (cpuOf(pid) - (cpuBefore[index] ?? 0)) / documents.length) };
}

async function killTool(): Promise<void> {
  await sleep(700);
  tool.kill("SIGKILL");
  await toolExit;
  const { count } = await settledCount();
  notes.push(`kill -9 of the tool at ${count} keys, and the same command again`);
  await writeBare(await newDocuments());
  tool = startTool();
  toolExit = once(tool, "exit");
  await untilGrown(count);
}

async function killServer(): Promise<void> {
  await sleep(700);
  process.kill(server.pid, "SIGKILL");
  const { count } = await settledCount();
  notes.push(`kill -9 of the server at ${count} keys, and started again under the running tool`);
  server = await startServer(String(port));
  await untilGrown(count);
}

function isRunning({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}

function sampleMemory(): void {
  for (const [name, pid] of [
    ["tool", tool.pid],
    ["server", server.pid],
  ] as const) {
    try {
      const kib = /^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
      if (kib !== undefined) memory[name].push(Number(kib) / 1024);
    } catch {
      // The server is being restarted.
    }
  }
}

function report(of: readonly Slice[]): void {
  const rate = (pick: (slice: Slice) => Rate) => median(of.map((slice) => pick(slice).perSecond)).toFixed(0);
  const cpu = (pick: (slice: Slice) => Rate, names: readonly string[]) =>
    names.map((name, index) => `${name} ${median(of.map((slice) => pick(slice).cpuUs[index] ?? 0)).toFixed(1)}`).join(", ");
  const ratios = of.map(({ own, bare: other }) => own.perSecond / other.perSecond);
  const own = (slice: Slice) => slice.own;
  const other = (slice: Slice) => slice.bare;
  console.info(
    `\n${keyCount} keys from CSV, batches of ${batchSize}, ${inFlight} in flight; medians of ${of.length} slices of ${sliceMs} ms`,
  );
  console.info(`  tool, server, MongoDB  ${rate(own)} keys/s; CPU us a key: ${cpu(own, ["tool", "server", "mongod"])}`);
  console.info(`  bare insertMany        ${rate(other)} keys/s; CPU us a key: ${cpu(other, ["driver", "mongod"])}`);
  console.info(
    `  ratio                  ${median(ratios).toFixed(2)} (goal 0.5); slices: ${ratios.map((ratio) => ratio.toFixed(2)).join(" ")}`,
  );
  for (const name of ["tool", "server"] as const) console.info(`  memory of the ${name.padEnd(9)}${quarters(memory[name])}`);
  for (const note of notes) console.info(`  ${note}`);
}

/** Returns the maximum of each quarter of the time, in MiB. */
function quarters(samples: readonly number[]): string {
  const length = Math.ceil(samples.length / 4);
  return `${[0, 1, 2, 3].map((index) => Math.max(...samples.slice(index * length, (index + 1) * length)).toFixed(0)).join(", ")} MiB (highest of each quarter)`;
}
