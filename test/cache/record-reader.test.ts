import { describe, expect, test } from "vitest";
import { createMemoryRecordCache } from "../../src/adapters/memory/record-cache.ts";
import { soleProcessTrust } from "../../src/cache/sole-process.ts";
import { createVerifierCache } from "../../src/cache/verifier-cache.ts";
import type { KeyRecord } from "../../src/core/key.ts";
import { keyRecord } from "../support/key-record.ts";

/** A store whose loads finish when the test says so, to produce races. */
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
    asked: [] as (readonly string[])[],
    /** Knows only one key, as `get` does. */
    getMany(_tenant: string, keyIds: readonly string[]) {
      this.asked.push(keyIds);
      const answers = keyIds.map((keyId) => (keyId === current?.keyId ? current : null));
      return new Promise<(KeyRecord | null)[]>((resolve) => finish.push(() => resolve(answers)));
    },
    finish,
  };
}

const record = keyRecord();
const revoked = keyRecord({ revision: 2, revocation: { reason: "key_compromise", description: "" } });

function setup(initial: KeyRecord | null = record) {
  let nowMs = 1_000_000;
  const store = slowStore(initial);
  const { reader, announcer } = createVerifierCache({
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
  return { store, reader, announcer, read, finishAll, pass: (ms: number) => (nowMs += ms) };
}

describe("the record reader", () => {
  test("asks the store once for concurrent misses, then serves hits until the TTL ends", async () => {
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
    const { store, announcer, read, finishAll } = setup();
    const before = read();
    await Promise.resolve();
    const announce = announcer.beginChange("default", revoked.keyId);
    store.set(revoked);
    await announce(revoked, 2);
    await finishAll();
    expect((await before).record).toEqual(record);
    const after = read();
    await finishAll();
    expect(await after).toEqual({ record: revoked, outcome: "miss" });
    expect(await read()).toEqual({ record: revoked, outcome: "hit" });
  });

  test("a read that starts after a change joins no load that started before it", async () => {
    const { store, announcer, read, finishAll } = setup();
    const before = read();
    await Promise.resolve();
    const announce = announcer.beginChange("default", revoked.keyId);
    store.set(revoked);
    await announce(revoked, 2);
    const after = read();
    await finishAll();
    expect((await before).record).toEqual(record);
    expect((await after).record).toEqual(revoked);
  });

  test("no-cache asks the store and fills the cache; no-store does not fill it", async () => {
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

  test("remembers for a moment that a key is absent, until the key is created", async () => {
    const { store, announcer, read, finishAll } = setup(null);
    const first = read();
    await finishAll();
    expect(await first).toEqual({ record: null, outcome: "miss" });
    expect(await read()).toEqual({ record: null, outcome: "hit" });
    const announce = announcer.beginChange("default", record.keyId);
    store.set(record);
    await announce(record, 1);
    const second = read();
    await finishAll();
    expect(await second).toEqual({ record, outcome: "miss" });
  });

  test("a failed load fails only its own callers", async () => {
    let failing = true;
    const { reader } = createVerifierCache({
      store: { get: async () => (failing ? Promise.reject(new Error("down")) : record), getMany: () => Promise.reject(new Error("down")) },
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

  test("a batch asks the store once for its misses, each key once, in order", async () => {
    const { store, reader, read, finishAll } = setup();
    const first = read();
    await finishAll();
    await first;
    const batch = reader.readMany("default", ["B", record.keyId, "A", "B"], "none");
    await finishAll();
    expect(await batch).toEqual([
      { status: "fulfilled", value: { record: null, outcome: "miss" } },
      { status: "fulfilled", value: { record, outcome: "hit" } },
      { status: "fulfilled", value: { record: null, outcome: "miss" } },
      { status: "fulfilled", value: { record: null, outcome: "miss" } },
    ]);
    expect(store.asked).toEqual([["B", "A"]]);
    const again = await reader.readMany("default", ["A", "B"], "none");
    expect(again.map((answer) => answer.status === "fulfilled" && answer.value.outcome)).toEqual(["hit", "hit"]);
    expect(await reader.readMany("default", [], "none")).toEqual([]);
  });

  test("a batch and single reads share loads in progress, and a change supersedes both", async () => {
    const { store, reader, announcer, read, finishAll } = setup();
    const single = read();
    const batch = reader.readMany("default", [record.keyId, "A"], "none");
    await Promise.resolve();
    expect(store.finish).toHaveLength(2);
    const announce = announcer.beginChange("default", "A");
    await announce(null, 3);
    await finishAll();
    expect([(await single).record, (await batch).map(({ status }) => status)]).toEqual([record, ["fulfilled", "fulfilled"]]);
    const after = reader.readMany("default", [record.keyId, "A"], "none");
    await finishAll();
    expect((await after).map((answer) => answer.status === "fulfilled" && answer.value.outcome)).toEqual(["hit", "miss"]);
  });

  test("a batch that does not use the cache asks for all its keys", async () => {
    const { store, reader, read, finishAll } = setup();
    const first = read();
    await finishAll();
    await first;
    for (const directive of ["no-cache", "no-store"] as const) {
      const batch = reader.readMany("default", ["A", record.keyId], directive);
      await finishAll();
      expect((await batch).map((answer) => answer.status === "fulfilled" && answer.value)).toEqual([
        { record: null, outcome: "bypass" },
        { record, outcome: "bypass" },
      ]);
    }
    expect(store.asked).toEqual([
      ["A", record.keyId],
      ["A", record.keyId],
    ]);
  });

  test("a batch returns what it found in the cache if the store fails for the rest", async () => {
    const { store, reader, read, finishAll } = setup();
    const first = read();
    await finishAll();
    await first;
    store.getMany = () => Promise.reject(new Error("down"));
    const answers = await reader.readMany("default", [record.keyId, "A", "B"], "none");
    expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
    const bypassing = await reader.readMany("default", [record.keyId, "A"], "no-store");
    expect(bypassing.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });
});
