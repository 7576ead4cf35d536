import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Child, cpuMicroseconds, startChild } from "./child.ts";
import { median } from "./median.ts";

/**
 * `node bench/start.ts [rounds] [other checkouts]` measures time and CPU from the start of the process to the first verified call, on a
 * store that contains the key, after a first start that does not count. Checkouts take turns, so that other load of the machine affects all
 * of them alike.
 */
const rounds = Number(process.argv[2] ?? 9);
const checkouts = [resolve(import.meta.dirname, ".."), ...process.argv.slice(3).map((path) => resolve(path))];

interface Start {
  readonly elapsedMs: number;
  readonly cpuMs: number;
}

const folder = await mkdtemp(join(tmpdir(), "keywright-start-"));
const token = randomBytes(24).toString("hex");
try {
  const all = [];
  for (const [index, checkout] of checkouts.entries()) all.push(await prepare(checkout, join(folder, String(index))));
  for (let round = 0; round < rounds; round += 1) for (const one of all) one.starts.push(await start(one));
  all.forEach(print);
} finally {
  await rm(folder, { recursive: true, force: true });
}

interface Contender {
  readonly checkout: string;
  readonly dataDir: string;
  readonly secret: string;
  readonly starts: Start[];
}

/** The first start creates the store, fills the compile cache and issues the key. */
async function prepare(checkout: string, dataDir: string): Promise<Contender> {
  const child = await begin(checkout, dataDir);
  const { secret } = (await post(child.port, "issuedApiKeys", { name: "bench", actor_id: "bench" })) as { readonly secret: string };
  await post(child.port, "apiKeys:verify", { credential: secret });
  // Compiled code of a process that ends early is not kept (src/start/compiled-code.js).
  await sleep(3000);
  await child.stop();
  return { checkout, dataDir, secret, starts: [] };
}

async function start({ checkout, dataDir, secret }: Contender): Promise<Start> {
  const begunMs = performance.now();
  const child = await begin(checkout, dataDir);
  const answer = (await post(child.port, "apiKeys:verify", { credential: secret })) as { readonly is_valid?: boolean };
  if (answer.is_valid !== true) throw new Error("the key was not verified");
  const measured = { elapsedMs: performance.now() - begunMs, cpuMs: cpuMicroseconds(child.pid) / 1000 };
  await child.stop();
  return measured;
}

function begin(checkout: string, dataDir: string): Promise<Child> {
  const entry = ["src/start.js", "src/main.ts"].map((file) => join(checkout, file)).find((file) => existsSync(file)) as string;
  return startChild(entry, [], { KEYWRIGHT_PORT: "0", KEYWRIGHT_DATA_DIR: dataDir, KEYWRIGHT_ADMIN_TOKEN: token });
}

async function post(port: number, path: string, body: object): Promise<unknown> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const response = await fetch(`http://127.0.0.1:${port}/v2alpha1/admin/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  return response.json();
}

function print({ checkout, starts }: Contender): void {
  const cpuMs = starts.map((start) => start.cpuMs);
  const elapsedMs = median(starts.map((start) => start.elapsedMs));
  const least = Math.min(...cpuMs).toFixed(0);
  console.info(`${checkout}: ${median(cpuMs).toFixed(0)} ms CPU (least ${least}), ${elapsedMs.toFixed(0)} ms`);
}
