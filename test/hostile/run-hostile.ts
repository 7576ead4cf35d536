import { setTimeout as sleep } from "node:timers/promises";
import type { ServerProcess } from "../support/server-process.ts";
import type { Arena, Attack } from "./attack.ts";
import { bodyAttacks } from "./body-attacks.ts";
import { http1Client, http2Client } from "./clients.ts";
import { http1Attacks } from "./http1-attacks.ts";
import { http2Attacks } from "./http2-attacks.ts";
import { jsonAttacks } from "./json-attacks.ts";
import { type MemoryUse, settledSocketCount, socketCount, watchMemory } from "./observe.ts";
import { createRandom } from "./random.ts";
import { createReport, type Report } from "./report.ts";
import { rpcAttacks } from "./rpc-attacks.ts";
import { slowAttacks } from "./slow-attacks.ts";
import { smugglingAttacks } from "./smuggling-attacks.ts";
import { startWellBehavedClient, type WellBehavedClient } from "./well-behaved.ts";

export interface HostileOptions {
  readonly server: Pick<ServerProcess, "url" | "port" | "adminToken" | "pid" | "output">;
  /** Number of requests to send; a hundred frames of a flood count as one. */
  readonly count: number;
  readonly seed: number;
  /** Called at intervals with the progress of the run. */
  readonly log: (text: string) => void;
}

export interface HostileResult {
  readonly report: Report;
  readonly wellBehaved: WellBehavedClient;
  readonly memory: MemoryUse;
  /** Sockets beyond those before the run, after everything has had time to end. */
  readonly socketsLeft: number;
  /** Lines of the server's output at level error or fatal, and lines that are not log lines. */
  readonly badLogLines: readonly string[];
  readonly seconds: number;
}

const attacks: readonly Attack[] = [...jsonAttacks, ...rpcAttacks, ...http1Attacks, ...smugglingAttacks, ...http2Attacks, ...bodyAttacks];
const workerCount = 24;
const slowWorkerCount = 6;
const progressEvery = 10_000;
const settleMs = 15_000;

/** Sends hostile requests of every kind to a server while a well-behaved client uses it. Returns what went wrong. */
export async function runHostile({ server, count, seed, log }: HostileOptions): Promise<HostileResult> {
  const report = createReport();
  const [attackedKey, usedKey] = [await issueKey(server), await issueKey(server)];
  // Until the connections that issued the keys are closed; nothing shows it.
  await sleep(200);
  const socketsBefore = await socketCount(server.pid);
  const begunMs = performance.now();
  const memory = watchMemory(server.pid, allowedGrowthMiB(count));
  const wellBehaved = startWellBehavedClient(server, usedKey.secret, 20);

  let isOver = false;
  let nextProgress = progressEvery;
  let nextSample = 0;
  const worker = async (index: number, choice: readonly Attack[]) => {
    const random = createRandom(seed * 1000 + index);
    const { port, url, adminToken } = server;
    const arena: Arena = { port, url, adminToken, key: attackedKey, random, report, http1: http1Client(port), http2: http2Client(url) };
    const deck = choice.flatMap((attack) => Array.from({ length: attack.weight }, () => attack));
    while (!isOver && report.requests < count) {
      await random.pick(deck).run(arena);
      if (report.requests >= nextSample) {
        nextSample += count / 250;
        await memory.sample();
      }
      if (report.requests >= nextProgress) {
        nextProgress += progressEvery;
        log(progress(report, begunMs));
      }
    }
    arena.http1.close();
    arena.http2.close();
  };
  const slowWorkers = Array.from({ length: slowWorkerCount }, (_, index) => worker(500 + index, slowAttacks));
  await Promise.all(Array.from({ length: workerCount }, (_, index) => worker(index, attacks)));
  isOver = true;
  await Promise.all(slowWorkers);
  const seconds = (performance.now() - begunMs) / 1000;
  // Memory is compared once garbage of the last requests had time to be collected.
  await sleep(1000);
  const memoryUse = memory.result();
  await wellBehaved.stop();
  const socketsLeft = (await settledSocketCount(server.pid, socketsBefore, settleMs)) - socketsBefore;
  return { report, wellBehaved, memory: memoryUse, socketsLeft, badLogLines: badLinesOf(server.output()), seconds };
}

/** Describes everything that must not happen in a run. Empty if the server passed. */
export function problemsOf({ report, wellBehaved, memory, socketsLeft, badLogLines }: HostileResult): string[] {
  const problems = [...report.faults].map(([name, { count, example }]) => `${count} x ${name} ${example}`);
  if (wellBehaved.errors.length > 0)
    problems.push(`${wellBehaved.errors.length} errors for the well-behaved client, first: ${wellBehaved.errors[0]}`);
  if (wellBehaved.answers === 0) problems.push("the well-behaved client had no answer");
  if (memory.lateMiB > memory.allowedMiB)
    problems.push(`memory grew from ${memory.earlyMiB.toFixed(0)} to ${memory.lateMiB.toFixed(0)} MiB`);
  if (socketsLeft > 0) problems.push(`${socketsLeft} sockets were left open`);
  if (badLogLines.length > 0) problems.push(`${badLogLines.length} bad log lines, first: ${badLogLines[0]}`);
  return problems;
}

export function summaryOf({ report, wellBehaved, memory, seconds }: HostileResult): string {
  const perAttack = [...report.requestsByAttack].map(([name, requests]) => `  ${String(requests).padStart(7)}  ${name}`);
  const answers = [...report.answersByStatus].toSorted(([a], [b]) => a.localeCompare(b)).map(([status, count]) => `${status}: ${count}`);
  return [
    `${report.requests} hostile requests in ${seconds.toFixed(0)} s (${(report.requests / seconds).toFixed(0)} a second)`,
    ...perAttack,
    `answers: ${answers.join(", ")}`,
    `well-behaved client: ${wellBehaved.answers} answers, ${wellBehaved.errors.length} errors, latency p50 ${wellBehaved.latencyMs(0.5).toFixed(1)} ms, p99 ${wellBehaved.latencyMs(0.99).toFixed(1)} ms, longest ${wellBehaved.latencyMs(1).toFixed(0)} ms`,
    `server memory (RssAnon): second fifth ${memory.earlyMiB.toFixed(0)} MiB, last fifth ${memory.lateMiB.toFixed(0)} MiB (allowed ${memory.allowedMiB.toFixed(0)}), peak ${memory.peakMiB.toFixed(0)} MiB`,
  ].join("\n");
}

/**
 * V8's heap and the allocator's arenas reach their full size within some tens of thousands of requests: a rapid reset alone takes 100 MiB
 * once, and none after that. So a short run can only show a leak of 30 KB per request; a run of 200,000 shows one of 400 bytes.
 */
function allowedGrowthMiB(count: number): number {
  return count < 100_000 ? 192 : 48;
}

function progress(report: Report, begunMs: number): string {
  return `${report.requests} requests, ${((performance.now() - begunMs) / 1000).toFixed(0)} s, ${report.faults.size} kinds of faults`;
}

async function issueKey({ url, adminToken }: { url: string; adminToken: string }): Promise<{ keyId: string; secret: string }> {
  const response = await fetch(`${url}/v2alpha1/admin/issuedApiKeys`, {
    method: "POST",
    headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json", connection: "close" },
    body: JSON.stringify({ name: "hostile run", scopes: ["read"] }),
  });
  const { issued_api_key, secret } = (await response.json()) as { issued_api_key: { key_id: string }; secret: string };
  return { keyId: issued_api_key.key_id, secret };
}

function badLinesOf(output: string): string[] {
  return output.split("\n").filter((line) => line !== "" && !/^\{"level":"(trace|debug|info|warn)"/.test(line));
}
