import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { prepareAudit } from "../../../src/adapters/sqlite/audit.ts";
import { openDatabase } from "../../../src/adapters/sqlite/database.ts";
import { maxRowsPerStep, prepareExpiry } from "../../../src/adapters/sqlite/expiry.ts";
import { openSqliteKeyStore } from "../../../src/adapters/sqlite/key-store.ts";
import { prepareRetentionClock } from "../../../src/adapters/sqlite/retention-clock.ts";
import { keyRecord } from "../../support/key-record.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { allEvents, auditEvent } from "../../support/with-events.ts";

const dayMs = 86_400_000;

test("audit events and request ids of every tenant are removed completely at their age", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "keys.db");
  let nowMs = Date.now();
  const clock = () => nowMs;
  const store = await openSqliteKeyStore({ path, clock, monotonicMs: clock, auditRetentionMs: 30 * dayMs, expiryIntervalMs: 10 });
  const request = { requestId: "r", payloadDigest: "d" };
  await store.insert("t", keyRecord(), request, auditEvent({ timeMs: nowMs, keyIds: [keyRecord().keyId] }));
  for (const tenant of ["t", "u"]) {
    const events = Array.from({ length: 200 }, (_, index) => auditEvent({ timeMs: nowMs, keyIds: ["A", `K${index}`] }));
    await store.audit.append(tenant, events);
  }

  nowMs += 7 * dayMs;
  expect((await store.insert("t", keyRecord({ keyId: "B" }), request, auditEvent())).outcome).toBe("request_id_used");
  nowMs += 1;
  const again = async () => (await store.insert("t", keyRecord({ keyId: "B" }), request, auditEvent({ timeMs: nowMs }))).outcome;
  await expect.poll(again).toBe("inserted");
  expect(await allEvents(store, "u", { limit: 1000 })).toHaveLength(200);

  nowMs += 23 * dayMs;
  await expect.poll(() => allEvents(store, "u", { limit: 1000 })).toEqual([]);
  await expect.poll(() => allEvents(store, "t", { limit: 1000 })).toHaveLength(1);
  expect(await allEvents(store, "t", { keyId: "A", limit: 1000 })).toEqual([]);
  await store.close();
  const database = new DatabaseSync(path);
  expect(database.prepare("SELECT count(*) AS count FROM audit_event_keys").get()).toEqual({ count: 0 });
  database.close();
});

test("only a tenant whose retention time is shorter than that of the installation loses its events sooner", async () => {
  using folder = temporaryFolder();
  const ownMs = { short: dayMs, long: 90 * dayMs };
  const tenantLimits = {
    of: (tenant: string) => ({ maxKeys: null, auditRetentionMs: ownMs[tenant as keyof typeof ownMs] ?? null }),
    quotaSince: () => 0,
    all: () => [],
  };
  let nowMs = Date.now();
  const clock = () => nowMs;
  const path = join(folder.path, "keys.db");
  const store = await openSqliteKeyStore({
    ...{ path, clock, monotonicMs: clock, auditRetentionMs: 30 * dayMs, expiryIntervalMs: 10 },
    tenantLimits,
  });
  const tenants = ["short", "long", "usual"];
  for (const tenant of tenants) await store.audit.append(tenant, [auditEvent({ timeMs: nowMs })]);
  const counts = async () => Promise.all(tenants.map(async (tenant) => (await allEvents(store, tenant, { limit: 10 })).length));
  nowMs += dayMs + 1;
  await expect.poll(counts).toEqual([0, 1, 1]);
  nowMs += 29 * dayMs;
  await expect.poll(counts).toEqual([0, 0, 0]);
  await store.close();
});

test("one step removes a bounded number of rows, of events with many keys and of many tenants", () => {
  using folder = temporaryFolder();
  const database = openDatabase(join(folder.path, "keys.db"));
  const audit = prepareAudit(database);
  const rows = () =>
    ["audit_events", "audit_event_keys"]
      .map((table) => (database.prepare(`SELECT count(*) AS count FROM ${table}`).get() as { count: number }).count)
      .reduce((sum, count) => sum + count);
  const keyIds = (count: number) => Array.from({ length: count }, (_, index) => `K${index}`);
  for (const [index, count] of [50, 50, 1000, 50, 50, 50].entries()) {
    audit.add("t", auditEvent({ timeMs: dayMs + index, keyIds: keyIds(count) }));
  }
  for (let index = 0; index < 250; index += 1) audit.add(`u${index}`, auditEvent({ timeMs: 3 * dayMs, keyIds: [] }));

  const removeSome = prepareExpiry(
    database,
    () => 3 * dayMs,
    () => dayMs,
  );
  const removed: number[] = [];
  for (let isMore = true; isMore; ) {
    const before = rows();
    isMore = removeSome();
    removed.push(before - rows());
  }
  // Then two steps that check a hundred tenants each, and the last one.
  expect(removed).toEqual([102, 1001, 102, 51, 0, 0, 0]);
  expect(removed.filter((count) => count > maxRowsPerStep)).toEqual([1001]);
  expect(rows()).toBe(250);
  database.close();
});

describe("a clock that is wrong", () => {
  const retentionMs = 30 * dayMs;
  const startMs = Date.UTC(2026, 0, 31);
  const halfDays = Array.from({ length: 60 }, (_, index) => auditEvent({ timeMs: startMs - (index * dayMs) / 2 }));

  /**
   * Opens a database with an event for each of the last 30 days and nights. Returns its two clocks, and a function that removes as a store
   * does.
   */
  function opened(path: string, time = { wallMs: startMs, monotonicMs: 5000 }) {
    const database = openDatabase(path);
    const audit = prepareAudit(database);
    const clock = prepareRetentionClock(
      database,
      () => time.wallMs,
      () => time.monotonicMs,
    );
    const removeSome = prepareExpiry(database, clock, () => retentionMs);
    return {
      time,
      fill: () => halfDays.forEach((event) => void audit.add("t", event)),
      removeAll() {
        while (removeSome());
      },
      eventCount: () => (database.prepare("SELECT count(*) AS count FROM audit_events").get() as { count: number }).count,
      [Symbol.dispose]: () => database.close(),
    };
  }

  test("a year ahead for a minute removes a day's worth of events", () => {
    using folder = temporaryFolder();
    using trail = opened(join(folder.path, "keys.db"));
    trail.fill();
    trail.removeAll();
    expect(trail.eventCount()).toBe(60);
    trail.time.wallMs += 365 * dayMs;
    for (let second = 0; second < 60; second += 1) {
      trail.time.monotonicMs += 1000;
      trail.removeAll();
    }
    expect(trail.eventCount()).toBe(58);
    trail.time.wallMs = startMs + 60_000;
    trail.removeAll();
    expect(trail.eventCount()).toBe(58);
  });

  test("a year ahead at the start removes a day's worth too", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "keys.db");
    {
      using before = opened(path);
      before.fill();
      before.removeAll();
    }
    using trail = opened(path, { wallMs: startMs + 365 * dayMs, monotonicMs: 0 });
    trail.removeAll();
    expect(trail.eventCount()).toBe(59);
  });

  test("in a store of an earlier release the newest event sets the time", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "keys.db");
    {
      using before = opened(path);
      before.fill();
    }
    using trail = opened(path, { wallMs: startMs + 365 * dayMs, monotonicMs: 0 });
    trail.removeAll();
    expect(trail.eventCount()).toBe(59);
  });

  test("the retention follows the monotonic clock", () => {
    using folder = temporaryFolder();
    using trail = opened(join(folder.path, "keys.db"));
    trail.fill();
    for (let day = 1; day <= 30; day += 1) {
      trail.time.wallMs += dayMs;
      trail.time.monotonicMs += dayMs;
      trail.removeAll();
      expect(trail.eventCount()).toBe(61 - 2 * day);
    }
  });

  test.each([-1, -365 * dayMs, Number.MIN_SAFE_INTEGER, Number.NaN])(
    "a clock before 1970, or not a number (%i), removes nothing",
    (wallMs) => {
      using folder = temporaryFolder();
      using trail = opened(join(folder.path, "keys.db"));
      trail.fill();
      trail.time.wallMs = wallMs;
      trail.removeAll();
      expect(trail.eventCount()).toBe(60);
    },
  );

  test("a clock that is set only after the start is used from then on", () => {
    using folder = temporaryFolder();
    using trail = opened(join(folder.path, "keys.db"), { wallMs: 1000, monotonicMs: 0 });
    trail.removeAll();
    trail.time.wallMs = startMs + 15 * dayMs;
    trail.removeAll();
    trail.fill();
    trail.removeAll();
    expect(trail.eventCount()).toBe(31);
  });

  test("the store uses that time, also for request ids", async () => {
    using folder = temporaryFolder();
    const time = { wallMs: startMs, monotonicMs: 5000 };
    const store = await openSqliteKeyStore({
      path: join(folder.path, "keys.db"),
      clock: () => time.wallMs,
      monotonicMs: () => time.monotonicMs,
      auditRetentionMs: retentionMs,
      expiryIntervalMs: 5,
    });
    await store.audit.append("t", halfDays);
    const request = { requestId: "r", payloadDigest: "d" };
    await store.insert("t", keyRecord(), request, auditEvent({ timeMs: startMs }));
    time.wallMs += 365 * dayMs;
    await expect.poll(async () => (await allEvents(store, "t", { limit: 1000 })).length).toBe(60);
    expect((await store.insert("t", keyRecord({ keyId: "B" }), request, auditEvent())).outcome).toBe("request_id_used");
    await store.close();
  });
});
