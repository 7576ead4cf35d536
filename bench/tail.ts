import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { getPriority, setPriority, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { freePorts } from "../test/support/free-port.ts";
import { startBackends } from "./backends.ts";
import { startChild } from "./child.ts";
import { http1Request } from "./http1-request.ts";
import { createHistogram } from "./tail/histogram.ts";
import { addOldEvents } from "./tail/old-events.ts";
import { openLoad } from "./tail/open-load.ts";
import type { Recording } from "./tail/recording.ts";
import { printFailures, printLatencies, printRecording } from "./tail/report.ts";
import { startScrapes } from "./tail/scrapes.ts";

/**
 * `node bench/tail.ts [--seconds 300] [--sqlite] [--load 0.7] [--keys 2000] [--import 3400] [--changes 50] [--sample-us 2000]` measures how
 * long cached verifications take at a fixed rate, while keys are changed and imported, listed and scraped, and the pauses of the server's
 * event loop. The rate is a share of what a calibration at the start finds, with the other work beside it.
 */
const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "300" },
    sqlite: { type: "boolean", default: false },
    load: { type: "string", default: "0.7" },
    keys: { type: "string", default: "2000" },
    import: { type: "string", default: "3400" },
    changes: { type: "string", default: "50" },
    "sample-us": { type: "string", default: "2000" },
  },
});
const durationMs = Number(values.seconds) * 1000;
const warmUpMs = 4000;
const calibrationMs = 6000;
const connections = 64;
const token = randomBytes(32).toString("hex");
const path = "/v2alpha1/admin/apiKeys:verify";

await using resources = new AsyncDisposableStack();
const folder = await mkdtemp(join(tmpdir(), "keywright-tail-"));
resources.defer(() => rm(folder, { recursive: true, force: true }));
const [metricsPort = 0] = await freePorts(1);
const server = await startServer();
const control = await recorded("control", join(import.meta.dirname, "tail/control.ts"), {});
const requests = (await issueKeys(Number(values.keys))).map((credential) => http1Request(path, token, { credential }));
await load(warmUpMs);
const sideWork = startSideWork();
const capacity = await load(calibrationMs);
const perSecond = capacity * Number(values.load);
console.info(`calibration: ${capacity.toFixed(0)} verifications/s with the other work; the load is ${perSecond.toFixed(0)}/s`);

const latencies = createHistogram();
const endScrapes = startScrapes(`http://127.0.0.1:${metricsPort}/metrics`);
for (const { pid } of [server, control]) process.kill(pid, "SIGUSR2");
const ownDelay = monitorEventLoopDelay({ resolution: 5 });
ownDelay.enable();
const { failures, unsent } = await openLoad({ port: server.port, requests, connections, perSecond, durationMs, observe: latencies.record });
ownDelay.disable();
for (const { pid } of [server, control]) process.kill(pid, "SIGUSR2");
const recordings = { server: await recordingOf("server"), control: await recordingOf("control") };
sideWork.kill("SIGTERM");
await once(sideWork, "exit");
console.info(await endScrapes());
printLatencies(latencies);
if (unsent > 0 || latencies.count < perSecond * (durationMs / 1000) * 0.99) {
  console.info("  THE MACHINE COULD NOT SEND THE LOAD: the latencies mean nothing, the pauses do");
}
printFailures(failures);
console.info(
  `  ${unsent} found no free connection before the end; the load generator itself was late by up to ${(ownDelay.max / 1e6 - 5).toFixed(1)} ms`,
);
printRecording("server", recordings.server);
printRecording("idle process", recordings.control);

async function startServer() {
  const settings = {
    KEYWRIGHT_PORT: "0",
    KEYWRIGHT_ADMIN_TOKEN: token,
    KEYWRIGHT_DATA_DIR: folder,
    KEYWRIGHT_METRICS_PORT: String(metricsPort),
    // Longer than the run: otherwise one verification in some hundred would ask the store again.
    KEYWRIGHT_CACHE_TTL: "1h",
    TAIL_SAMPLE_US: values["sample-us"],
  };
  const file = resolve(import.meta.dirname, "../src/main.ts");
  if (!values.sqlite) return recorded("server", file, { ...settings, ...(await backends()) });
  // The first start creates the secrets of the store.
  await (await startChild(file, [], settings)).stop();
  return recorded("server", file, { ...settings, KEYWRIGHT_AUDIT_RETENTION: await addOldEvents(join(folder, "keywright.db")) });
}

async function backends(): Promise<Readonly<Record<string, string>>> {
  const { redis, mongo, settings } = await startBackends(folder, token, resources);
  for (const { pid } of mongo.members) yieldCpu(pid);
  return { ...settings, KEYWRIGHT_CACHE: redis.uri };
}

/** Starts a process with the recorder in it. */
async function recorded(name: string, file: string, env: Readonly<Record<string, string>>) {
  const recorder = ["--import", join(import.meta.dirname, "tail/recorder.ts")];
  const child = await startChild(file, [], { TAIL_RECORD: join(folder, `${name}.json`), ...env }, recorder);
  resources.defer(() => child.stop());
  return child;
}

async function recordingOf(name: string): Promise<Recording> {
  const file = join(folder, `${name}.json`);
  while (!existsSync(file)) await sleep(50);
  return JSON.parse(await readFile(file, "utf8")) as Recording;
}

async function issueKeys(count: number): Promise<string[]> {
  const secrets: string[] = [];
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const issue = async () => {
    const response = await fetch(`http://127.0.0.1:${server.port}/v2alpha1/admin/issuedApiKeys`, { method: "POST", headers, body: "{}" });
    const { secret } = (await response.json()) as { readonly secret?: string };
    // On a busy machine the store may not answer.
    if (secret !== undefined) secrets.push(secret);
    else if (response.status !== 503) throw new Error(`no key was issued: ${response.status}`);
  };
  while (secrets.length < count) await Promise.all(Array.from({ length: 50 }, issue));
  return secrets;
}

function startSideWork(): ChildProcess {
  const settings = {
    port: server.port,
    token,
    changesPerSecond: Number(values.changes),
    importedPerSecond: Number(values.import),
  };
  const child = spawn(process.execPath, [join(import.meta.dirname, "tail/side-work.ts"), JSON.stringify(settings)], { stdio: "inherit" });
  resources.defer(() => void child.kill("SIGKILL"));
  yieldCpu(child.pid ?? 0);
  child.on("exit", (code) => {
    if (code !== 0 && code !== null) throw new Error("the other work failed");
  });
  return child;
}

/** Lowers the priority of a process, which would have another machine to itself. Threads inherit the priority of the one that starts them. */
function yieldCpu(pid: number): void {
  for (const thread of readdirSync(`/proc/${pid}/task`)) setPriority(Number(thread), Math.min(19, getPriority() + 10));
}

/** Verifies as fast as the server answers. Returns how many verifications a second that is. */
async function load(loadMs: number): Promise<number> {
  const target = { port: server.port, requests, connections: 32, perSecond: Number.POSITIVE_INFINITY };
  const { all } = await openLoad({ ...target, durationMs: loadMs, observe: () => {} });
  return (all * 1000) / loadMs;
}
