import type { Worker } from "node:cluster";
import { EventEmitter, once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Log } from "../../src/ports/log.ts";
import { createPool } from "../../src/workers/pool.ts";

/** A worker without a process. It ends when the pool tells it to, or at a signal. */
function workerOf(id: number) {
  const child = Object.assign(new EventEmitter(), { pid: 1000 + id, kill: (signal: string) => child.emit("close", null, signal) });
  const worker = Object.assign(new EventEmitter(), {
    id,
    process: child,
    isConnected: () => true,
    send: ({ kind }: { kind: string }) => kind === "close" && child.emit("close", 0, null),
    serve: () => worker.emit("message", { kind: "serving", url: "http://127.0.0.1:1" }),
  });
  return worker;
}

test.each([
  ["the worker that it replaces ends by itself: the successor is enough", 0, 0],
  ["another worker ends: it is replaced too", 1, 1],
])("while a successor starts %s", async (_, ended, replacedCount) => {
  const [made, forked] = [[] as ReturnType<typeof workerOf>[], new EventEmitter()];
  const fork = () => {
    const worker = workerOf(made.length + 1);
    made.push(worker);
    // The first successor is slow, the others serve in the next turn.
    if (worker.id !== 3) setImmediate(worker.serve);
    forked.emit(String(worker.id));
    return worker as unknown as Worker;
  };
  const log = { error: () => {} } as unknown as Log;
  const pool = createPool({ count: 2, fork, log, monotonicMs: () => 60_000 * made.length, maxCloseMs: 60_000 });
  await pool.start();
  const third = once(forked, "3");
  const restarted = pool.restart();
  await third;
  made[ended]?.process.kill("SIGKILL");
  // The pool has set its timer of 0 ms by the next turn, and timers of one length end in their order.
  await new Promise(setImmediate);
  await sleep(0);
  expect(pool.replacedCount()).toBe(replacedCount);
  made[2]?.serve();
  await restarted;
  await expect.poll(pool.servingCount).toBe(2);
  expect(made).toHaveLength(4);
  expect(await pool.close()).toBe(true);
});
