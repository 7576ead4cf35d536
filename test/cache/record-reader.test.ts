import { describe, expect, test } from "vitest";
import { createMemoryRecordCache } from "../../src/adapters/memory/record-cache.ts";
import { createRecordReader } from "../../src/cache/record-reader.ts";
import { soleProcessTrust } from "../../src/cache/sole-process.ts";
import type { KeyRecord } from "../../src/core/key.ts";
import { keyRecord } from "../support/key-record.ts";

/** A store whose loads finish when the test says so, which is what races are made of. */
function slowStore(initial: KeyRecord | null) {
  let current = initial;
  const finish: (() => void)[] = [];
  return {
    set(record: KeyRecord) {
      current = record;
    },
    get: () => {
      const answer = current;
      return new Promise<KeyRecord | null>((resolve) => finish.push(() => resolve(answer)));
    },
    finish,
  };
}

const record = keyRecord();
const revoked = keyRecord({ revision: 2, revocation: { reason: "key_compromise", description: "" } });

function setup(initial: KeyRecord | null = record) {
  let nowMs = 1_000_000;
  const store = slowStore(initial);
  const reader = createRecordReader({
    store,
    local: createMemoryRecordCache({ maxEntries: 10 }),
    shared: null,
    trust: soleProcessTrust,
    clock: () => nowMs,
    monotonicMs: () => nowMs,
    graceMs: 0,
    cacheTtlMs: 60_000,
    negativeCacheTtlMs: 1_000,
  });
  const read = (directive: "none" | "no-cache" | "no-store" = "none") => reader.read("default", record.keyId, directive);
  const finishAll = async () => {
    await Promise.resolve();
    for (const finish of store.finish.splice(0)) finish();
  };
  return { store, reader, read, finishAll, pass: (ms: number) => (nowMs += ms) };
}

describe("the record reader", () => {
  test("asks the store once for concurrent misses, then serves hits until the TTL is over", async () => {
    const { store, read, finishAll, pass } = setup();
    const answers = [read(), read(), read()];
    await Promise.resolve();
    expect(store.finish).toHaveLength(1);
    await finishAll();
    expect((await Promise.all(answers)).map(({ outcome }) => outcome)).toEqual(["miss", "miss", "miss"]);
    pass(59_999);
    expect(await read()).toEqual({ record, outcome: "hit" });
    pass(1);
    const late = read();
    await finishAll();
    expect((await late).outcome).toBe("miss");
  });

  test("a fill that read before a change does not overwrite it", async () => {
    const { store, reader, read, finishAll } = setup();
    const before = read();
    await Promise.resolve();
    store.set(revoked);
    await reader.changed("default", revoked.keyId, revoked, 2);
    await finishAll();
    expect((await before).record).toEqual(record);
    expect(await read()).toEqual({ record: revoked, outcome: "hit" });
  });

  test("a read that starts after a change joins no load that started before it", async () => {
    const { store, reader, read, finishAll, pass } = setup();
    const before = read();
    await Promise.resolve();
    store.set(revoked);
    await reader.changed("default", revoked.keyId, revoked, 2);
    pass(60_000);
    const after = read();
    await finishAll();
    expect((await before).record).toEqual(record);
    expect((await after).record).toEqual(revoked);
  });

  test("no-cache asks the store anew and fills the cache, no-store leaves it alone", async () => {
    const { store, read, finishAll } = setup();
    const first = read("no-store");
    await finishAll();
    expect((await first).outcome).toBe("bypass");
    const second = read("no-cache");
    await finishAll();
    expect((await second).outcome).toBe("bypass");
    expect((await read()).outcome).toBe("hit");
    store.set(revoked);
    const third = read("no-store");
    await finishAll();
    expect((await third).record).toEqual(revoked);
    expect((await read()).record).toEqual(record);
  });

  test("remembers for a moment that a key is absent, and forgets it when the key is made", async () => {
    const { reader, read, finishAll, pass } = setup(null);
    const first = read();
    await finishAll();
    expect(await first).toEqual({ record: null, outcome: "miss" });
    expect(await read()).toEqual({ record: null, outcome: "hit" });
    await reader.changed("default", record.keyId, record, 1);
    expect(await read()).toEqual({ record, outcome: "hit" });
    pass(60_000);
    const late = read();
    await finishAll();
    expect((await late).outcome).toBe("miss");
  });

  test("a failed load is nobody's answer but its own", async () => {
    let failing = true;
    const reader = createRecordReader({
      store: { get: async () => (failing ? Promise.reject(new Error("down")) : record) },
      local: createMemoryRecordCache({ maxEntries: 10 }),
      shared: null,
      trust: soleProcessTrust,
      clock: () => 0,
      monotonicMs: () => 0,
      graceMs: 0,
      cacheTtlMs: 60_000,
      negativeCacheTtlMs: 1_000,
    });
    await expect(reader.read("default", record.keyId, "none")).rejects.toThrow("down");
    failing = false;
    expect(await reader.read("default", record.keyId, "none")).toEqual({ record, outcome: "miss" });
  });
});
