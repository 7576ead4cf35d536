/**
 * Records the pauses of the event loop of its process. Loaded by `node --import` with `TAIL_RECORD=<file>`. SIGUSR2 begins a recording;
 * another one ends it and writes the file. It only measures, and nothing of it is part of the server.
 *
 * A timer ticks every few milliseconds; with `TAIL_EVERY_TURN=1`, each turn of the event loop is a tick, and the process never sleeps. What a late tick waited for is told apart by the kernel's counters of the main thread: time on a
 * CPU, time in which it could have run but another process had the CPU, and the rest, in which it was blocked, as in a sync to the disk.
 * In a garbage collection it is also blocked while its helpers, threads of V8, wait for a CPU.
 */
import { openSync, readdirSync, readFileSync, readSync, renameSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { monitorEventLoopDelay, type PerformanceEntry, PerformanceObserver } from "node:perf_hooks";
import { type Collection, minPauseMs, type Pause, type Recording } from "./recording.ts";

const file = process.env.TAIL_RECORD ?? "";
const sampleUs = Number(process.env.TAIL_SAMPLE_US ?? 0);
const everyTurn = process.env.TAIL_EVERY_TURN === "1";
const tickMs = everyTurn ? 0 : 5;
const schedstat = openSync("/proc/self/schedstat", "r");
const helpers = readdirSync("/proc/self/task")
  .filter((task) => readFileSync(`/proc/self/task/${task}/comm`, "utf8").startsWith("V8Worker"))
  .map((task) => openSync(`/proc/self/task/${task}/schedstat`, "r"));
const bytes = Buffer.alloc(128);
const delay = monitorEventLoopDelay({ resolution: Math.max(1, tickMs) });
const session = new Session();
const pauses: Pause[] = [];
const collections: Collection[] = [];
let isRecording = false;
let timer: NodeJS.Timeout | undefined;
let last = { atMs: 0, cpuMs: 0, waitMs: 0, helperWaitsMs: helpers.map(() => 0) };

/** On the clock of the profiler, which is the same in all processes. */
function nowMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

/** On a CPU, and ready to run while others had it. */
function timesOf(thread: number): [cpuMs: number, waitMs: number] {
  const text = bytes.toString("latin1", 0, readSync(thread, bytes, 0, bytes.length, 0));
  const [cpuNs = 0, waitNs = 0] = text.split(" ").map(Number);
  return [cpuNs / 1e6, waitNs / 1e6];
}

function look(): typeof last {
  const [cpuMs, waitMs] = timesOf(schedstat);
  return { atMs: nowMs(), cpuMs, waitMs, helperWaitsMs: helpers.map((helper) => timesOf(helper)[1]) };
}

function tick(): void {
  const now = look();
  const lateMs = now.atMs - last.atMs - tickMs;
  if (lateMs >= minPauseMs) {
    const [cpuMs, waitMs] = [now.cpuMs - last.cpuMs, now.waitMs - last.waitMs];
    const helperWaitMs = Math.max(0, ...now.helperWaitsMs.map((ms, index) => ms - (last.helperWaitsMs[index] ?? 0)));
    pauses.push({ fromMs: last.atMs, untilMs: now.atMs, lateMs, cpuMs, waitMs, helperWaitMs });
  }
  last = now;
}

function tickInEachTurn(): void {
  if (!isRecording) return;
  tick();
  setImmediate(tickInEachTurn);
}

const observer = new PerformanceObserver((list) => {
  const offsetMs = nowMs() - performance.now();
  for (const entry of list.getEntries()) {
    const { kind } = (entry as PerformanceEntry & { readonly detail: { readonly kind: number } }).detail;
    collections.push({ fromMs: offsetMs + entry.startTime, tookMs: entry.duration, kind });
  }
});

async function begin(): Promise<void> {
  if (sampleUs > 0) {
    await session.post("Profiler.start");
  }
  observer.observe({ entryTypes: ["gc"] });
  delay.enable();
  last = look();
  isRecording = true;
  if (everyTurn) tickInEachTurn();
  else timer = setInterval(tick, tickMs);
}

async function end(): Promise<void> {
  clearInterval(timer);
  isRecording = false;
  delay.disable();
  const percentiles = [50, 99, 99.9, 100].map((percent) => Math.max(0, delay.percentile(percent) / 1e6 - tickMs));
  const profile = sampleUs > 0 ? (await session.post("Profiler.stop")).profile : null;
  const recording: Recording = { pauses, collections, delayMs: percentiles, profile };
  writeFileSync(`${file}.part`, JSON.stringify(recording));
  renameSync(`${file}.part`, file);
  pauses.length = 0;
  collections.length = 0;
  delay.reset();
}

if (sampleUs > 0) {
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.setSamplingInterval", { interval: sampleUs });
}
if (file !== "") process.on("SIGUSR2", () => void (isRecording ? end() : begin()));
