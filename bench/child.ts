import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";

/** A server under measurement, in a process of its own. */
export interface Child {
  readonly pid: number;
  readonly port: number;
  /** Milliseconds from the start of the process until it reports that it listens. */
  readonly startMs: number;
  /** Processor time used until then, in milliseconds. */
  readonly startCpuMs: number;
  stop(): Promise<void>;
}

/** Starts `node <options> <file> <args>` and waits for a line on standard output that contains "listening" and a URL. */
export async function startChild(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  options: readonly string[] = [],
): Promise<Child> {
  const begunMs = performance.now();
  const child = spawn(process.execPath, [...nodeOptions(), ...options, file, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const port = await portOnceListening(child);
  const pid = child.pid ?? 0;
  return {
    pid,
    port,
    startMs: performance.now() - begunMs,
    startCpuMs: cpuMicroseconds(pid) / 1000,
    async stop() {
      child.kill("SIGTERM");
      if (child.exitCode === null) await once(child, "exit");
    },
  };
}

/** `BENCH_NODE_OPTIONS="--cpu-prof --cpu-prof-dir=/tmp/x"` profiles the servers. */
function nodeOptions(): string[] {
  return (process.env.BENCH_NODE_OPTIONS ?? "").split(" ").filter((option) => option !== "");
}

function portOnceListening(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      const port = /listening/.test(text) ? /http:\/\/127\.0\.0\.1:(\d+)/.exec(text)?.[1] : undefined;
      if (port !== undefined) resolve(Number(port));
    });
    child.once("exit", (code) => reject(new Error(`the server exited with ${code} before it was listening`)));
  });
}

/** Returns user and system time of all threads of a process, in microseconds (Linux: the first number in each schedstat is nanoseconds). */
export function cpuMicroseconds(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += Number(readIfThere(`/proc/${pid}/task/${thread}/schedstat`).split(" ", 1)[0]);
  }
  return nanoseconds / 1000;
}

/** A thread may end before its file is read. */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "0";
  }
}
