import type { Histogram } from "./histogram.ts";
import { helpersMs, minPauseMs, ownMs, type Recording } from "./recording.ts";
import { createWitness } from "./stacks.ts";

const bounds = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, Number.POSITIVE_INFINITY];
const listed = 12;

export function printLatencies(latencies: Histogram): void {
  console.info(`\n${latencies.count} verifications, from the moment each was due:`);
  for (const [index, fromMs] of bounds.slice(0, -1).entries()) {
    const untilMs = bounds[index + 1] as number;
    const count = latencies.countBetween(fromMs, untilMs);
    const share = count / latencies.count;
    console.info(`  ${`${fromMs} to ${untilMs} ms`.padEnd(18)}${String(count).padStart(10)} ${(share * 100).toFixed(4).padStart(9)} %`);
  }
  const named = [50, 90, 99, 99.9, 99.99, 100].map((percent) => `p${percent} ${latencies.percentile(percent).toFixed(2)}`);
  console.info(`  ${named.join(", ")} ms`);
}

export function printFailures(failures: ReadonlyMap<string, number>): void {
  const all = [...failures.values()].reduce((sum, count) => sum + count, 0);
  console.info(`  ${all} failed`);
  for (const [failure, count] of failures) console.info(`    ${count}: ${failure}`);
}

/** Prints the delay of the event loop, and the pauses in which the process itself was longest at work. */
export function printRecording(name: string, recording: Recording): void {
  const { pauses, delayMs } = recording;
  const [p50 = 0, p99 = 0, p999 = 0, max = 0] = delayMs;
  console.info(
    `\n${name}: delay of the event loop p50 ${p50.toFixed(1)}, p99 ${p99.toFixed(1)}, p99.9 ${p999.toFixed(1)}, longest ${max.toFixed(1)} ms`,
  );
  const over = (ms: number) => `${pauses.filter((pause) => ownMs(pause) > ms).length} over ${ms} ms`;
  console.info(
    `  pauses of its own: ${[10, 20, 50].map(over).join(", ")}; ${pauses.filter(({ cpuMs }) => cpuMs > 50).length} with over 50 ms of CPU`,
  );
  const witness = createWitness(recording);
  const longest = pauses.toSorted((a, b) => ownMs(b) - ownMs(a)).slice(0, listed);
  for (const pause of longest.filter((one) => ownMs(one) > minPauseMs)) {
    const { lateMs, cpuMs, waitMs } = pause;
    const blockedMs = Math.max(0, ownMs(pause) - cpuMs);
    const parts = `CPU ${cpuMs.toFixed(0)}, blocked ${blockedMs.toFixed(0)}; waited for a CPU ${waitMs.toFixed(0)}, for helpers ${helpersMs(pause).toFixed(0)}`;
    console.info(`  ${ownMs(pause).toFixed(0)} ms of its own of ${lateMs.toFixed(0)} (${parts}): ${witness(pause)}`);
  }
}
