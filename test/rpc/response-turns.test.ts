import type { Message } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import type { Call } from "../../src/call/call.ts";
import type { Failure } from "../../src/error/failure.ts";
import { maxAnswerBytes } from "../../src/rpc/answer-size.ts";
import { createResponseTurns } from "../../src/rpc/response-turns.ts";

/** A call whose client reads the response, or goes away, when the test says so. */
function callOf(name: string) {
  const controller = new AbortController();
  const listeners: (() => void)[] = [];
  const headers: Record<string, string> = {};
  const call = {
    setResponseHeader: (header: string, value: string) => {
      headers[header] = value;
    },
    caller: { name },
    signal: controller.signal,
    onClose: (listener: () => void) => (controller.signal.aborted ? listener() : listeners.push(listener)),
  } as unknown as Call;
  const close = (): void => {
    for (const listener of listeners.splice(0)) listener();
  };
  return { call, controller, headers, close };
}

function createLists() {
  const started: string[] = [];
  const ends: (() => void)[] = [];
  const timers = new Set<() => void>();
  const startTimer = (_delayMs: number, work: () => void) => {
    const fire = (): void => {
      timers.delete(fire);
      work();
    };
    timers.add(fire);
    return () => void timers.delete(fire);
  };
  const list = createResponseTurns(
    { maxRunning: 2, maxUnreadBytes: 3 * maxAnswerBytes, maxWaiting: 10, maxWaitMs: 2000 },
    startTimer,
  )((_request: Message, { caller }: Call) => {
    started.push(caller?.name ?? "");
    return new Promise<Record<string, unknown>>((resolve) => ends.push(() => resolve({})));
  });
  const run = (call: Call) =>
    Promise.resolve(list({} as Message, call)).then(
      () => "done",
      (error) => (error as Failure).reason,
    );
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return { started, ends, timers, run, turn };
}

it("reads a bounded number of lists of one caller at once, and others meanwhile", async () => {
  const { started, ends, run, turn } = createLists();
  const calls = Array.from({ length: 4 }, () => callOf("a"));
  for (const { call } of calls) void run(call);
  void run(callOf("b").call);
  await turn();
  expect(started).toEqual(["a", "a", "b"]);
  ends[0]?.();
  await turn();
  expect(started).toEqual(["a", "a", "b", "a"]);
});

it("waits until responses are read or their clients are gone", async () => {
  const { started, ends, run, turn } = createLists();
  const calls = Array.from({ length: 6 }, () => callOf("a"));
  const results = calls.map(({ call }) => run(call));
  for (let round = 0; round < 6; round += 1) {
    for (const end of ends) end();
    await turn();
  }
  expect(started).toHaveLength(3);
  // The fourth has left by the time of its turn, so the fifth takes its place.
  calls[3]?.controller.abort();
  calls[0]?.close();
  await turn();
  expect(await results[3]).toBe("CANCELLED");
  expect(started).toHaveLength(4);
  calls[1]?.close();
  await turn();
  expect(started).toHaveLength(5);
});

it("refuses lists that wait long while so many responses are unread, and only those", async () => {
  const { started, ends, timers, run, turn } = createLists();
  const calls = Array.from({ length: 5 }, () => callOf("a"));
  const results = calls.slice(0, 4).map(({ call }) => run(call));
  await turn();
  expect([started.length, timers.size]).toEqual([2, 2]);
  // Two are read and none is unread, so the wait may go on. It ends on its own.
  for (const fire of [...timers]) fire();
  for (const end of ends) end();
  await turn();
  expect([started.length, timers.size]).toEqual([3, 1]);
  for (const end of ends) end();
  await turn();
  for (const fire of [...timers]) fire();
  expect(await results[3]).toBe("TOO_MANY_CALLS");
  expect(calls[3]?.headers).toEqual({ "retry-after": "2" });
  calls[0]?.close();
  void run((calls[4] as ReturnType<typeof callOf>).call);
  await turn();
  expect([started.length, timers.size]).toEqual([4, 0]);
});

it("refuses no call while the client reads", async () => {
  const { started, ends, timers, run, turn } = createLists();
  const calls = Array.from({ length: 5 }, () => callOf("a"));
  const results = calls.map(({ call }) => run(call));
  const endAll = async (): Promise<void> => {
    for (const end of ends) end();
    await turn();
  };
  await endAll();
  await endAll();
  calls[0]?.close();
  await turn();
  await endAll();
  expect([started.length, timers.size]).toEqual([4, 1]);
  for (const fire of [...timers]) fire();
  expect(timers.size).toBe(1);
  for (const fire of [...timers]) fire();
  expect(await results[4]).toBe("TOO_MANY_CALLS");
});

it("counts the largest response while a call runs, then the size that it has", async () => {
  const started: string[] = [];
  const setBytes: ((bytes: number) => void)[] = [];
  const ends: (() => void)[] = [];
  const bounds = { maxRunning: Number.POSITIVE_INFINITY, maxUnreadBytes: 2 * maxAnswerBytes, maxWaiting: 3, maxWaitMs: 2000 };
  const batch = createResponseTurns(bounds, () => () => {})(
    (_request: Message, { caller }: Call, set) => {
      started.push(caller?.name ?? "");
      setBytes.push(set);
      return new Promise<Record<string, unknown>>((resolve) => ends.push(() => resolve({})));
    },
    () => Number.MAX_VALUE,
  );
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const calls = Array.from({ length: 5 }, () => callOf("a"));
  for (const { call } of calls) void batch({} as Message, call);
  expect(started).toHaveLength(2);
  const beyond = callOf("a");
  await expect(batch({} as Message, beyond.call)).rejects.toMatchObject({ reason: "TOO_MANY_CALLS" });
  for (const set of setBytes) set(maxAnswerBytes / 4);
  for (const end of ends) end();
  await turn();
  expect(started).toHaveLength(3);
  // Two quarters are unread and one call runs, so there is room for half a response until the clients have read.
  calls[0]?.close();
  calls[1]?.close();
  await turn();
  expect(started).toHaveLength(4);
});
