import type { Message } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import type { Call } from "../../src/call/call.ts";
import type { Failure } from "../../src/error/failure.ts";
import { createListTurns } from "../../src/rpc/list-turns.ts";

/** A call whose client reads the response, or goes away, when the test says so. */
function callOf(name: string) {
  const controller = new AbortController();
  const listeners: (() => void)[] = [];
  const call = {
    caller: { name },
    signal: controller.signal,
    onClose: (listener: () => void) => (controller.signal.aborted ? listener() : listeners.push(listener)),
  } as unknown as Call;
  const close = (): void => {
    for (const listener of listeners.splice(0)) listener();
  };
  return { call, controller, close };
}

function createLists() {
  const started: string[] = [];
  const ends: (() => void)[] = [];
  const list = createListTurns({ maxRunning: 2, maxUnread: 3 })((_request: Message, { caller }: Call) => {
    started.push(caller?.name ?? "");
    return new Promise<Record<string, unknown>>((resolve) => ends.push(() => resolve({})));
  });
  const run = (call: Call) =>
    Promise.resolve(list({} as Message, call)).then(
      () => "done",
      (error) => (error as Failure).reason,
    );
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return { started, ends, run, turn };
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
