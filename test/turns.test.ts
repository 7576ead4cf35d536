import { readFile } from "node:fs";
import { expect, test } from "vitest";
import { turnsOf } from "../src/rpc/call-turns.ts";
import { importKeys } from "../src/service/import-many.ts";
import type { KeyService } from "../src/service/key-service.ts";
import { collectInTurns, createTurns, mapInTurns, maxTurnMs } from "../src/turns.ts";

const itemCount = 3 * maxTurnMs + 1;
const origin = { method: "Import", caller: "ann", clientAddress: "", requestId: "r" };

/** Counts calls, and the most of them in one turn of the event loop, until it is disposed of. */
function turnCounter() {
  let inThisTurn = 0;
  let isOn = true;
  // It stays the first in each turn, because it is the first to ask for the next one.
  const nextTurn = () => {
    inThisTurn = 0;
    if (isOn) setImmediate(nextTurn);
  };
  setImmediate(nextTurn);
  const counted = { calls: 0, mostPerTurn: 0 };
  const count = () => {
    inThisTurn += 1;
    counted.calls += 1;
    counted.mostPerTurn = Math.max(counted.mostPerTurn, inThisTurn);
  };
  const stop = () => {
    isOn = false;
  };
  return { counted, count, [Symbol.dispose]: stop };
}

test("items are mapped in order, and no turn of the event loop takes longer than it should", async () => {
  using counter = turnCounter();
  const { counted, count } = counter;
  const items = Array.from({ length: itemCount }, (_, index) => index);
  let timeMs = 0;
  const oneMsEach = (item: number, index: number) => {
    count();
    timeMs += 1;
    return item + index;
  };
  const doubled = await mapInTurns(
    items,
    oneMsEach,
    createTurns(() => timeMs),
  );
  expect(doubled).toEqual(items.map((item) => 2 * item));
  expect(counted).toEqual({ calls: itemCount, mostPerTurn: maxTurnMs });
});

test("a batch import makes the ids and the records of its keys in several turns", async () => {
  using counter = turnCounter();
  const { counted, count } = counter;
  const stored: string[] = [];
  const service = {
    clock: () => 1,
    randomBytes: (length: number) => Buffer.alloc(length),
    credentials: {
      importedKeyIds(_tenant: string, digest: Uint8Array) {
        count();
        return [Buffer.from(digest).toString("hex")];
      },
    },
    defaultKeyTtlMs: null,
    tenantSettings: { of: () => ({ defaultTtlMs: null, maxTtlMs: null }) },
    announcer: { beginChanges: () => async () => {} },
    store: {
      async insertMany(_tenant: string, items: readonly { readonly record: { readonly keyId: string } }[]) {
        stored.push(...items.map(({ record }) => record.keyId));
        return items.map(({ record }) => ({ outcome: "inserted", record }));
      },
    },
  } as unknown as KeyService;
  const attributes = { name: "", scopes: [], metadata: null, rateLimitPolicy: null, allowedCidrs: [] };
  const items = Array.from({ length: itemCount }, (_, index) => ({
    ...{ attributes, actorId: "ann", visibility: "secret" as const, ttlMs: null, requestId: null },
    key: { sha256: Buffer.from([index >> 8, index & 255]) },
  }));
  let timeMs = 0;
  const turns = createTurns(() => ++timeMs);
  const imported = await importKeys(service, "default", origin, { items, requestId: null, turns });
  expect(imported.map((result) => result !== null && "keyId" in result && result.keyId)).toEqual(
    items.map(({ key }) => key.sha256.toString("hex")),
  );
  expect(stored).toHaveLength(itemCount);
  expect(counted.calls).toBe(itemCount);
  expect(counted.mostPerTurn).toBeLessThanOrEqual(maxTurnMs);
});

test("a cursor is read to its end, in several turns of the event loop", async () => {
  using counter = turnCounter();
  const { counted, count } = counter;
  let timeMs = 0;
  async function* cursor() {
    for (let index = 0; index < itemCount; index += 1) {
      count();
      timeMs += 1;
      yield index;
    }
  }
  const turns = createTurns(() => timeMs);
  expect(await collectInTurns(cursor(), turns)).toEqual(Array.from({ length: itemCount }, (_, index) => index));
  expect(counted).toEqual({ calls: itemCount, mostPerTurn: maxTurnMs });
});

test("work that began in a callback of I/O lets other I/O run before its second turn", async () => {
  const order: string[] = [];
  let timeMs = 0;
  const turns = createTurns(() => timeMs);
  const work = () => {
    timeMs += maxTurnMs;
    order.push("work");
  };
  // Right after the callback come the immediates of this turn; after the next ones there was I/O in between.
  await new Promise((resolve) => readFile(import.meta.filename, resolve));
  setImmediate(() => {
    order.push("this turn");
    setImmediate(() => order.push("next turn"));
  });
  await mapInTurns([1, 2], work, turns);
  expect(order).toEqual(["work", "this turn", "next turn", "work"]);
});

test("of several long pieces of work, one runs in each turn of the event loop", async () => {
  using counter = turnCounter();
  const { counted, count } = counter;
  let timeMs = 0;
  const turns = createTurns(() => timeMs);
  const oneMsEach = () => {
    count();
    timeMs += 1;
  };
  const items = Array.from({ length: itemCount }, () => null);
  await Promise.all(Array.from({ length: 5 }, () => mapInTurns(items, oneMsEach, turns)));
  expect(counted).toEqual({ calls: 5 * itemCount, mostPerTurn: maxTurnMs });
});

test("work in turns for a call stops once the call is over", async () => {
  const call = new AbortController();
  let done = 0;
  const slow = (): void => {
    done += 1;
    const endMs = performance.now() + 1;
    while (performance.now() < endMs);
  };
  setImmediate(() => call.abort(new Error("over")));
  await expect(mapInTurns(Array.from({ length: 1000 }), slow, turnsOf(call))).rejects.toThrow("over");
  expect(done).toBeLessThan(1000);
});
