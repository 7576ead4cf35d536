import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type ServerOptions, type ServerProcess, startServer } from "../support/server-process.ts";
import { anonymousMiB } from "./observe.ts";
import { startWellBehavedClient } from "./well-behaved.ts";

/** The effects of an attack on the server and on a customer who uses it at the same time. */
export interface AttackOutcome {
  /** The customer's failed verifications, as texts. */
  readonly customerErrors: readonly string[];
  readonly customerAnswers: number;
  readonly customerP50Ms: number;
  readonly customerP99Ms: number;
  /** CPU time of the server while the attack ran. */
  readonly cpuMs: number;
  /**
   * Private memory of the server (RssAnon) before the attack, and its maximum during the attack. The first is taken before the server has
   * warmed up (src/composition/upkeep.ts), which adds 27 MiB without any attack, because modules are loaded on demand. Waiting for that
   * would cost each test a second.
   */
  readonly memoryBeforeMiB: number;
  readonly memoryPeakMiB: number;
}

const sampleIntervalMs = 50;
const customerIntervalMs = 20;
/** The customer is measured for this long before the attack begins and after it ends. */
const quietMs = 300;

/** A server with a 512 MB heap. */
export function startTarget(options: ServerOptions = {}): Promise<ServerProcess> {
  return startServer({ ...options, env: { NODE_OPTIONS: "--max-old-space-size=512", ...options.env } });
}

/** Attacks a server started for this attack. */
export async function attackBesideCustomer(
  name: string,
  options: ServerOptions,
  attack: (server: ServerProcess) => Promise<void>,
): Promise<AttackOutcome> {
  await using server = await startTarget(options);
  // Awaited here, because the server is stopped on return.
  return await attackOn(server, name, attack);
}

/** Runs the attack while a customer verifies every 20 ms, and prints what the attack cost. */
export async function attackOn(
  server: ServerProcess,
  name: string,
  attack: (server: ServerProcess) => Promise<void>,
): Promise<AttackOutcome> {
  const customer = startWellBehavedClient(server, await issueSecret(server), customerIntervalMs);
  await sleep(quietMs);
  const memoryBeforeMiB = await anonymousMiB(server.pid);
  const cpuBeforeMs = await cpuTimeMs(server.pid);
  let memoryPeakMiB = memoryBeforeMiB;
  const sampler = setInterval(async () => {
    memoryPeakMiB = Math.max(memoryPeakMiB, await anonymousMiB(server.pid));
  }, sampleIntervalMs);
  try {
    await attack(server);
    await sleep(quietMs);
  } finally {
    clearInterval(sampler);
  }
  const cpuMs = (await cpuTimeMs(server.pid)) - cpuBeforeMs;
  await customer.stop();
  const outcome: AttackOutcome = {
    customerErrors: customer.errors,
    customerAnswers: customer.answers,
    customerP50Ms: customer.latencyMs(0.5),
    customerP99Ms: customer.latencyMs(0.99),
    cpuMs,
    memoryBeforeMiB,
    memoryPeakMiB,
  };
  console.info(`${name}: ${summaryOf(outcome)}`);
  return outcome;
}

function summaryOf(outcome: AttackOutcome): string {
  const { customerAnswers, customerErrors, customerP50Ms, customerP99Ms, cpuMs, memoryBeforeMiB, memoryPeakMiB } = outcome;
  return [
    `server CPU ${cpuMs} ms`,
    `memory ${memoryBeforeMiB.toFixed(0)} to ${memoryPeakMiB.toFixed(0)} MiB`,
    `customer p50 ${customerP50Ms.toFixed(1)} ms, p99 ${customerP99Ms.toFixed(1)} ms, ${customerErrors.length} failures of ${customerAnswers + customerErrors.length}`,
  ].join("; ");
}

async function issueSecret({ url, adminToken }: Pick<ServerProcess, "url" | "adminToken">): Promise<string> {
  const response = await fetch(`${url}/v2alpha1/admin/issuedApiKeys`, {
    method: "POST",
    headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json", connection: "close" },
    body: JSON.stringify({ name: "customer", scopes: ["read"] }),
  });
  return ((await response.json()) as { secret: string }).secret;
}

/** Returns user and system time, in ms. The kernel counts in ticks of 10 ms (proc_pid_stat(5), fields 14 and 15). */
async function cpuTimeMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 10;
}
