import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { startBackends } from "./backends.ts";
import { type Child, cpuMicroseconds, startChild } from "./child.ts";
import { http1Load } from "./http1-load.ts";
import { http1Request } from "./http1-request.ts";
import type { Load } from "./load.ts";
import { median } from "./median.ts";

/**
 * `node bench/workers.ts [rounds] [slice in ms]` measures cached verifications per second and CPU per request of one process and of two
 * workers, in turns, in short slices. CPU is that of all processes of a server. The load comes from this process, so it needs a CPU too.
 */
const rounds = Number(process.argv[2] ?? 7);
const sliceMs = Number(process.argv[3] ?? 700);
const connections = 32;
const adminToken = randomBytes(32).toString("hex");
const path = "/v2alpha1/admin/apiKeys:verify";

interface Contender {
  readonly name: string;
  readonly pids: readonly number[];
  readonly load: Load;
  readonly perSecond: number[];
  readonly cpuMicroseconds: number[];
}

await using resources = new AsyncDisposableStack();
const folder = await mkdtemp(join(tmpdir(), "keywright-bench-"));
resources.defer(() => rm(folder, { recursive: true, force: true }));
const { settings } = await startBackends(folder, adminToken, resources);
const contenders: Contender[] = [];
for (const workers of ["1", "2"]) {
  const env = { ...settings, KEYWRIGHT_DATA_DIR: folder, KEYWRIGHT_WORKERS: workers };
  const child = await startChild(resolve(import.meta.dirname, "../src/main.ts"), [], env);
  resources.defer(() => child.stop());
  const request = http1Request(path, adminToken, { credential: await issue(child) });
  const load = await http1Load(child.port, [request], connections);
  const pids = [child.pid, ...childrenOf(child.pid)];
  // Now, because a connection without a call is closed after some seconds.
  await load.run(3000);
  contenders.push({ name: `${workers} worker(s), ${pids.length} process(es)`, pids, load, perSecond: [], cpuMicroseconds: [] });
}

for (let round = 0; round < rounds; round += 1) {
  for (const { pids, load, perSecond, cpuMicroseconds: perRequest } of contenders) {
    const cpu = () => pids.reduce((sum, pid) => sum + cpuMicroseconds(pid), 0);
    const [beforeMs, before] = [performance.now(), cpu()];
    const requests = await load.run(sliceMs);
    perSecond.push((requests * 1000) / (performance.now() - beforeMs));
    perRequest.push((cpu() - before) / requests);
  }
}
for (const { name, perSecond, cpuMicroseconds: perRequest } of contenders) {
  console.info(`${name}: ${median(perSecond).toFixed(0)} requests/s, ${median(perRequest).toFixed(1)} us CPU a request`);
}

async function issue({ port }: Child): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/v2alpha1/admin/issuedApiKeys`, {
    method: "POST",
    headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
    body: JSON.stringify({ actor_id: "bench" }),
  });
  return ((await response.json()) as { secret: string }).secret;
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
}
