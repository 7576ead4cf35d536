import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startBackends } from "./backends.ts";
import { cpuMicroseconds, startChild } from "./child.ts";
import { median } from "./median.ts";
import { type TimedRun, timedLoad } from "./timed-load.ts";

/**
 * `node bench/outage.ts [rounds] [slice in ms]` measures verifications with a Redis that works, hangs or is gone, against
 * KEYWRIGHT_CACHE=none. Two servers on one mongod take turns in short slices; ratios are medians of the rounds. Each connection asks for
 * one key at a time, from so many keys that two connections hardly ever ask for the same one.
 */
const rounds = Number(process.argv[2] ?? 9);
const sliceMs = Number(process.argv[3] ?? 500);
const connections = 32;
const keyCount = 1000;
const admin = "/v2alpha1/admin";

await using resources = new AsyncDisposableStack();
const folder = await mkdtemp(join(tmpdir(), "keywright-bench-"));
resources.defer(() => rm(folder, { recursive: true, force: true }));
const token = randomBytes(32).toString("hex");
const { redis, settings: shared } = await startBackends(folder, token, resources);
const withRedis = await start({ KEYWRIGHT_CACHE: redis.uri });
const withNone = await start({ KEYWRIGHT_CACHE: "none" });
const bodies = await issueKeys(withNone.port);
const servers = [withRedis, withNone];
const loads = servers.map(({ port }) => timedLoad({ port, path: `${admin}/apiKeys:verify`, token, bodies, connections }));
for (const load of loads) resources.defer(() => load.close());

console.info(
  `medians of ${rounds} slices of ${sliceMs} ms, ${connections} connections, ${keyCount} keys; KEYWRIGHT_CACHE=redis:// against none`,
);
console.info(`${"".padEnd(26)}${"a second".padStart(16)}${"p50 ms".padStart(16)}${"p99 ms".padStart(16)}${"CPU us".padStart(14)}   ratios`);
await compare("Redis well (cached)");
await redis.kill("SIGSTOP");
await compare("Redis hung (SIGSTOP)");
await redis.kill("SIGCONT");
await sleep(3000);
await compare("Redis well again");
await redis.kill("SIGKILL");
await compare("Redis gone (SIGKILL)");

interface Slice extends TimedRun {
  /** CPU time of the server per request. */
  readonly cpuUs: number;
}

async function slice(index: 0 | 1): Promise<Slice> {
  const { pid } = servers[index] as (typeof servers)[0];
  const before = cpuMicroseconds(pid);
  const run = await (loads[index] as (typeof loads)[0]).run(sliceMs);
  return { ...run, cpuUs: (cpuMicroseconds(pid) - before) / run.requests };
}

async function compare(name: string): Promise<void> {
  const pairs: (readonly [Slice, Slice])[] = [];
  // During the first round V8 still compiles, and what was proven while Redis worked expires.
  await slice(0);
  await slice(1);
  await sleep(1500);
  for (let round = 0; round < rounds; round += 1) {
    // Otherwise the one that comes second would always meet the other's garbage.
    const early = round % 2 === 0 ? await slice(0) : null;
    const none = await slice(1);
    pairs.push([early ?? (await slice(0)), none]);
  }
  const both = (value: (run: Slice) => number, digits: number) =>
    [0, 1].map((index) => median(pairs.map((pair) => value(pair[index] as Slice))).toFixed(digits)).join(" / ");
  const ratio = (value: (run: Slice) => number) => median(pairs.map(([own, none]) => value(own) / value(none))).toFixed(2);
  console.info(
    `${name.padEnd(26)}${both(({ perSecond }) => perSecond, 0).padStart(16)}${both(({ p50Ms }) => p50Ms, 1).padStart(16)}` +
      `${both(({ p99Ms }) => p99Ms, 1).padStart(16)}${both(({ cpuUs }) => cpuUs, 0).padStart(14)}   ` +
      `throughput ${ratio(({ perSecond }) => perSecond)}, p99 ${ratio(({ p99Ms }) => p99Ms)}, CPU ${ratio(({ cpuUs }) => cpuUs)}`,
  );
}

async function start(env: Readonly<Record<string, string>>) {
  const dataDir = await mkdtemp(join(folder, "data-"));
  const child = await startChild(resolve(import.meta.dirname, "../src/main.ts"), [], { ...shared, KEYWRIGHT_DATA_DIR: dataDir, ...env });
  resources.defer(() => child.stop());
  return child;
}

async function issueKeys(port: number): Promise<object[]> {
  const keys: object[] = [];
  const issue = async () => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const response = await fetch(`http://127.0.0.1:${port}${admin}/issuedApiKeys`, { method: "POST", headers, body: "{}" });
    if (!response.ok) throw new Error(`issue answered ${response.status}`);
    keys.push({ credential: ((await response.json()) as { secret: string }).secret });
  };
  while (keys.length < keyCount) await Promise.all(Array.from({ length: 50 }, issue));
  return keys;
}
