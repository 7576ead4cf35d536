import { Agent, request } from "node:http";

export interface TimedRun {
  readonly requests: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Sends different requests in turn on many connections, and times each answer. Rejects for any status but 200. */
export function timedLoad(options: { port: number; path: string; token: string; bodies: readonly object[]; connections: number }) {
  const { port, path, token, connections } = options;
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const bodies = options.bodies.map((body) => JSON.stringify(body));
  const authorization = `Bearer ${token}`;
  let turn = 0;

  const once = () =>
    new Promise<void>((resolve, reject) => {
      const body = bodies[turn++ % bodies.length] as string;
      const headers = { authorization, "content-type": "application/json", "content-length": Buffer.byteLength(body) };
      const call = request({ agent, port, host: "127.0.0.1", method: "POST", path, headers }, (response) => {
        response.resume();
        response.on("end", () => (response.statusCode === 200 ? resolve() : reject(new Error(`status ${response.statusCode}`))));
      });
      call.on("error", reject);
      call.end(body);
    });

  return {
    async run(durationMs: number): Promise<TimedRun> {
      const tookMs: number[] = [];
      const begunMs = performance.now();
      const worker = async () => {
        for (let startedMs = performance.now(); startedMs - begunMs < durationMs; startedMs = performance.now()) {
          await once();
          tookMs.push(performance.now() - startedMs);
        }
      };
      await Promise.all(Array.from({ length: connections }, worker));
      const elapsedMs = performance.now() - begunMs;
      tookMs.sort((a, b) => a - b);
      const at = (share: number) => tookMs[Math.floor((tookMs.length - 1) * share)] ?? Number.NaN;
      return { requests: tookMs.length, perSecond: (tookMs.length / elapsedMs) * 1000, p50Ms: at(0.5), p99Ms: at(0.99) };
    },
    close: () => agent.destroy(),
  };
}
