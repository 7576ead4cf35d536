import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { cpuMicroseconds, startChild } from "./child.ts";
import { http1Load } from "./http1-load.ts";
import { http1Request } from "./http1-request.ts";
import type { Load } from "./load.ts";
import { median } from "./median.ts";

/**
 * `node bench/batch-verify.ts [rounds] [slice in ms]` measures credentials verified per second and server CPU per credential, in batches of
 * 100 and one at a time, over JSON/HTTP on one server, in turns. KEYWRIGHT_* settings in the environment choose the backends.
 */
const rounds = Number(process.argv[2] ?? 5);
const sliceMs = Number(process.argv[3] ?? 700);
const batchSize = 100;
const connections = 8;

interface Contender {
  readonly name: string;
  /** Credentials per request. */
  readonly size: number;
  readonly load: Load;
  readonly perSecond: number[];
  /** Microseconds per credential. */
  readonly cpu: number[];
}

const dataDir = await mkdtemp(join(tmpdir(), "keywright-bench-"));
const server = await startChild(resolve(import.meta.dirname, "../src/main.ts"), [], { KEYWRIGHT_PORT: "0", KEYWRIGHT_DATA_DIR: dataDir });
try {
  const token = process.env.KEYWRIGHT_ADMIN_TOKEN ?? (await readFile(join(dataDir, "admin-token"), "utf8")).trim();
  const credentials = await Promise.all(Array.from({ length: batchSize }, () => issue(token)));
  const single = { credential: credentials[0] };
  const batch = { requests: credentials.map((credential) => ({ credential })) };
  const contenders: Contender[] = [];
  for (const [name, verb, body, cacheControl] of [
    ["alone, cached", "verify", single, ""],
    ["in batches, cached", "batchVerify", batch, ""],
    ["alone, no-store", "verify", single, "no-store"],
    ["in batches, no-store", "batchVerify", batch, "no-store"],
  ] as const) {
    const headers: Record<string, string> = cacheControl === "" ? {} : { "cache-control": cacheControl };
    const request = http1Request(`/v2alpha1/admin/apiKeys:${verb}`, token, body, headers);
    const load = await http1Load(server.port, [request], connections);
    contenders.push({ name, size: verb === "verify" ? 1 : batchSize, load, perSecond: [], cpu: [] });
  }
  // In the first rounds V8 still compiles.
  for (let round = -2; round < rounds; round += 1) {
    for (const { size, load, perSecond, cpu } of contenders) {
      const cpuBefore = cpuMicroseconds(server.pid);
      const begunMs = performance.now();
      const verified = (await load.run(sliceMs)) * size;
      if (round < 0) continue;
      perSecond.push((verified / (performance.now() - begunMs)) * 1000);
      cpu.push((cpuMicroseconds(server.pid) - cpuBefore) / verified);
    }
  }
  for (const { load } of contenders) load.close();
  const base = (name: string) => contenders.find((candidate) => candidate.name === name.replace("in batches", "alone"));
  for (const { name, perSecond, cpu } of contenders) {
    const ratio = (median(perSecond) / median(base(name)?.perSecond ?? [])).toFixed(1);
    console.info(
      `${name.padEnd(24)}${median(perSecond).toFixed(0).padStart(10)} a second${median(cpu).toFixed(1).padStart(9)} us CPU${ratio.padStart(8)} x`,
    );
  }
} finally {
  await server.stop();
  await rm(dataDir, { recursive: true, force: true });
}

async function issue(token: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${server.port}/v2alpha1/admin/issuedApiKeys`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({
      name: "bench",
      actor_id: "user_2f6b8c1a",
      scopes: ["orders:read", "orders:write"],
      metadata: { team: "bench" },
    }),
  });
  return ((await response.json()) as { secret: string }).secret;
}
