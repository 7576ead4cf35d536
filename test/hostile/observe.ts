import { readdir, readFile, readlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** Memory growth of the run: RssAnon late in it compared with RssAnon early in it. */
export interface MemoryUse {
  /** Median of the second fifth of the samples, when everything has been used once. */
  readonly earlyMiB: number;
  /** Median of the last fifth. */
  readonly lateMiB: number;
  readonly peakMiB: number;
  readonly allowedMiB: number;
}

export interface MemoryWatch {
  /** Takes a sample. Call it at regular intervals of the run, counted in requests. */
  sample(): Promise<void>;
  result(): MemoryUse;
}

/** Private memory of a process, from /proc. Only anonymous memory, because file mappings come and go. */
export function watchMemory(pid: number, allowedGrowthMiB: number): MemoryWatch {
  const samples: number[] = [];
  return {
    async sample() {
      samples.push(await anonymousMiB(pid));
    },
    result() {
      const fifth = Math.floor(samples.length / 5);
      const earlyMiB = median(samples.slice(fifth, 2 * fifth));
      return {
        earlyMiB,
        lateMiB: median(samples.slice(-fifth)),
        peakMiB: Math.max(...samples),
        allowedMiB: earlyMiB + allowedGrowthMiB,
      };
    },
  };
}

export async function anonymousMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/RssAnon:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
}

/** Returns the number of sockets that a process has open. */
export async function socketCount(pid: number): Promise<number> {
  const names = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const links = await Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => "")));
  return links.filter((link) => link.startsWith("socket:")).length;
}

/** Waits until the process has at most this many sockets. Returns how many it has in the end. */
export async function settledSocketCount(pid: number, wanted: number, timeoutMs: number): Promise<number> {
  for (const deadlineMs = Date.now() + timeoutMs; ; await sleep(100)) {
    const count = await socketCount(pid);
    if (count <= wanted || Date.now() > deadlineMs) return count;
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}
