import { once } from "node:events";
import { connect, type Socket } from "node:net";

interface OpenLoadOptions {
  readonly port: number;
  readonly requests: readonly Buffer[];
  readonly connections: number;
  /** Infinity: as fast as the server answers. */
  readonly perSecond: number;
  readonly durationMs: number;
  /** Called with how long a verification took from the moment at which it was due. */
  readonly observe: (tookMs: number) => void;
}

export interface Answers {
  readonly all: number;
  /** How many answers had another status than 200, by status and reason. */
  readonly failures: ReadonlyMap<string, number>;
  /** Requests that were due, but found no free connection before the end. Their latencies are missing. */
  readonly unsent: number;
}

/**
 * Sends requests at a fixed rate, whether earlier ones were answered or not. A request that is due and finds no free connection waits for
 * one, until the time is over. Latencies count from the moment at which a request was due, so a pause of the server counts for all requests
 * that came during the pause. A timer sends what is due every millisecond. Rejects if a connection is closed.
 */
export async function openLoad({ port, requests, connections, perSecond, durationMs, observe }: OpenLoadOptions): Promise<Answers> {
  const sockets = Array.from({ length: connections }, () => connect({ port, host: "127.0.0.1", noDelay: true }));
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  const free: Socket[] = [];
  const dueMs = new Map<Socket, number>();
  const { promise, resolve, reject } = Promise.withResolvers<Answers>();
  const wanted = Buffer.from("HTTP/1.1 200 ");
  const startMs = performance.now();
  let sent = 0;
  const failures = new Map<string, number>();

  const dueCount = (nowMs: number) => {
    if (perSecond === Number.POSITIVE_INFINITY) return perSecond;
    return Math.floor((Math.min(nowMs - startMs, durationMs) * perSecond) / 1000);
  };
  const sendDue = () => {
    const nowMs = performance.now();
    if (nowMs - startMs >= durationMs) {
      const unsent = perSecond === Number.POSITIVE_INFINITY ? 0 : dueCount(nowMs) - sent;
      if (free.length === connections) resolve({ all: sent, failures, unsent });
      return;
    }
    const due = dueCount(nowMs);
    while (sent < due && free.length > 0) {
      const socket = free.pop() as Socket;
      dueMs.set(socket, perSecond === Number.POSITIVE_INFINITY ? nowMs : startMs + (sent * 1000) / perSecond);
      socket.write(requests[sent % requests.length] as Buffer);
      sent += 1;
    }
  };
  for (const socket of sockets) {
    free.push(socket);
    // Each answer is small and is written at once.
    socket.on("data", (chunk) => {
      if (chunk.compare(wanted, 0, wanted.length, 0, wanted.length) !== 0) {
        const failure = failureOf(chunk);
        failures.set(failure, (failures.get(failure) ?? 0) + 1);
      }
      observe(performance.now() - (dueMs.get(socket) as number));
      free.push(socket);
      if (free.length === 1) sendDue();
    });
    socket.on("close", () => reject(new Error("the server closed a connection")));
  }
  const timer = setInterval(sendDue, 1);
  try {
    return await promise;
  } finally {
    clearInterval(timer);
    for (const socket of sockets) socket.destroy();
  }
}

/** The status of an answer, with the reason and the message of its error. */
function failureOf(answer: Buffer): string {
  const text = answer.toString("latin1");
  const status = /^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? `no status in ${JSON.stringify(text.slice(0, 40))}`;
  const reason = /"reason":"(\w+)"/.exec(text)?.[1] ?? "without a reason";
  return `${status} ${reason} (${/"message":"([^"]*)"/.exec(text)?.[1] ?? ""})`;
}
