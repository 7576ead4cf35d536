import { type Child, cpuMicroseconds } from "./child.ts";
import type { Load } from "./load.ts";

/** A server under a load, and what was measured of it: one value for each slice. */
export interface Contender {
  readonly name: string;
  readonly child: Child;
  readonly load: Load;
  readonly perSecond: number[];
  readonly cpuMicroseconds: number[];
}

const warmUpRequests = 15_000;

/**
 * V8's last compiler runs after some ten thousand requests; until then a server costs twice as much as later. In turns, because servers
 * close connections that are not used.
 */
export async function warmUp(contenders: readonly Contender[], sliceMs: number): Promise<void> {
  const requests = contenders.map(() => 0);
  while (Math.min(...requests) < warmUpRequests) {
    for (const [index, { load }] of contenders.entries()) requests[index] = (requests[index] ?? 0) + (await load.run(sliceMs));
  }
}

export async function measureSlice({ child, load, perSecond, cpuMicroseconds: cpu }: Contender, sliceMs: number): Promise<void> {
  const cpuBefore = cpuMicroseconds(child.pid);
  const begunMs = performance.now();
  const requests = await load.run(sliceMs);
  perSecond.push((requests / (performance.now() - begunMs)) * 1000);
  cpu.push((cpuMicroseconds(child.pid) - cpuBefore) / requests);
}
