import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { maxEventsPerStep } from "../../../src/adapters/sqlite/audit.ts";
import { maxRowsPerCommit } from "../../../src/adapters/sqlite/group-commit.ts";
import { openSqliteKeyStore } from "../../../src/adapters/sqlite/key-store.ts";
import { maxKeysPerStep, maxLookUpsPerStep } from "../../../src/adapters/sqlite/list.ts";
import { defineHomeSlot } from "../../../src/adapters/sqlite/slots.ts";
import { createPageTokens } from "../../../src/core/page-token.ts";
import type { KeyStore } from "../../../src/ports/key-store.ts";
import type { KeyService } from "../../../src/service/key-service.ts";
import { listKeys, maxParts as maxKeyParts } from "../../../src/service/list.ts";
import { listAuditEvents, maxParts as maxEventParts } from "../../../src/service/list-audit-events.ts";
import { keyRecord } from "../../support/key-record.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { auditEvent } from "../../support/with-events.ts";

const tenant = "default";
const nowMs = 1_700_000_000_000;
/** More keys than one page may check. */
const keyCount = (maxKeyParts + 1) * maxKeysPerStep;
const eventCount = (maxEventParts + 1) * maxEventsPerStep;

/** Copies the only key and the only event of a store, with ids that sort after it. */
function multiply(path: string): void {
  const database = new DatabaseSync(path);
  defineHomeSlot(database);
  const copy = (table: string, idColumn: string, count: number) => {
    const columns = (database.prepare(`SELECT name FROM pragma_table_info('${table}')`).all() as { name: string }[]).map(
      ({ name }) => name,
    );
    const id = "printf('B%08d', number)";
    const values = columns.map((name) => (name === idColumn ? id : name === "slot" ? `home_slot(tenant, ${id})` : `first.${name}`));
    database.exec(`WITH RECURSIVE numbers(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < ${count})
      INSERT INTO ${table} (${columns.join(", ")}) SELECT ${values.join(", ")} FROM numbers CROSS JOIN (SELECT * FROM ${table} LIMIT 1) AS first`);
  };
  copy("keys", "key_id", keyCount);
  copy("audit_events", "event_id", eventCount);
  copy("audit_event_keys", "event_id", eventCount);
  database.close();
}

describe("a filter that few of very many match", () => {
  const folder = temporaryFolder();
  let store: KeyStore;
  beforeAll(async () => {
    const path = join(folder.path, "keys.db");
    const open = () => openSqliteKeyStore({ path, clock: () => nowMs });
    const before = await open();
    const many = auditEvent({ eventId: "A", keyIds: ["A"], method: "Many", caller: "many" });
    await before.insert(tenant, keyRecord({ keyId: "A", actorId: "ann" }), null, many);
    await before.close();
    multiply(path);
    store = await open();
    const few = auditEvent({ eventId: "0", keyIds: ["A"], method: "Many", caller: "few" });
    const other = auditEvent({ eventId: "1", keyIds: ["A"], method: "Few", caller: "many" });
    await store.audit.append(tenant, [few, other]);
    await store.insert(
      tenant,
      keyRecord({ keyId: "Z", actorId: "ann", expireTimeMs: 1 }),
      null,
      auditEvent({ eventId: "2", keyIds: ["Z"] }),
    );
  });
  afterAll(async () => {
    await store.close();
    folder[Symbol.dispose]();
  });

  test.each([undefined, "ann"])("the store checks no more keys at once than a step allows (actor %s)", async (actorId) => {
    const query = { kind: "issued", status: "expired", actorId, nowMs, limit: 10 } as const;
    const first = await store.list(tenant, query);
    expect(first).toEqual({ records: [], lastKeyId: `B${String(maxKeysPerStep - 1).padStart(8, "0")}` });
    const beforeLast = `B${String(keyCount - 5).padStart(8, "0")}`;
    const last = await store.list(tenant, { ...query, afterKeyId: beforeLast });
    expect([last.records.map(({ keyId }) => keyId), last.lastKeyId]).toEqual([["Z"], null]);
  });

  test.each([undefined, "revoked"] as const)(
    "the store looks a scope up for no more keys at once than a step allows (status %s)",
    async (status) => {
      const query = { kind: "issued", actorId: "ann", scopes: ["none"], status, nowMs, limit: 10 } as const;
      const first = await store.list(tenant, query);
      const last = status === "revoked" ? null : `B${String(maxLookUpsPerStep - 1).padStart(8, "0")}`;
      expect(first).toEqual({ records: [], lastKeyId: last });
    },
  );

  test.each([
    { keyId: "A", caller: "few" },
    { keyId: "A", method: "Few" },
    { method: "Many", caller: "few" },
    { keyId: "A", method: "Few", caller: "few" },
  ])("the store checks no more events at once than a step allows: %j", async (filter) => {
    const first = await store.audit.list(tenant, { ...filter, limit: 10 });
    expect(first).toEqual({ events: [], lastEventId: `B${String(eventCount - maxEventsPerStep + 1).padStart(8, "0")}` });
  });

  test("the store reads no more than a step allows if many match the filter", async () => {
    const { records, lastKeyId } = await store.list(tenant, { kind: "issued", status: "active", nowMs, limit: 1001 });
    expect([records.length, lastKeyId]).toEqual([100, records.at(-1)?.keyId]);
    const { events, lastEventId } = await store.audit.list(tenant, { limit: 1001 });
    expect([events.length, lastEventId]).toEqual([50, events.at(-1)?.eventId]);
  });

  const service = () => {
    const secrets = { current: "s".repeat(32), retired: [] };
    return { store, pageTokens: createPageTokens(secrets, randomBytes), clock: () => nowMs } as unknown as KeyService;
  };

  /** Returns how often other work ran while the promise was pending. */
  async function turnsDuring(work: Promise<unknown>): Promise<number> {
    let turns = 0;
    let isOver = false;
    const count = () => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    await work;
    isOver = true;
    return turns;
  }

  test("last uses of many keys are written in steps, and other work runs in between", async () => {
    const uses = Array.from({ length: 2000 }, (_, i) => ({ tenant, keyId: `B${String(i + 1).padStart(8, "0")}`, lastUsedTimeMs: nowMs }));
    expect(await turnsDuring(store.touch(uses))).toBeGreaterThanOrEqual(Math.floor(2000 / maxRowsPerCommit));
    const { records } = await store.list(tenant, { kind: "issued", nowMs, afterKeyId: "B00001999", limit: 2 });
    expect(records.map(({ lastUsedTimeMs }) => lastUsedTimeMs)).toEqual([nowMs, null]);
  });

  const anySize = { maxBytes: Number.POSITIVE_INFINITY, bytesOf: () => 0, throwIfOver() {} };
  const anyKeys = { ...anySize, orderBy: "", hasTotalSize: false };

  test("a page of keys may end early, even empty, and its token leads to the rest; other work runs in between", async () => {
    const request = { kind: "issued", pageSize: 10, filter: 'actor_id="ann" AND status=KEY_STATUS_EXPIRED', ...anyKeys } as const;
    const first = listKeys(service(), tenant, { ...request, pageToken: "" });
    expect(await turnsDuring(first)).toBeGreaterThanOrEqual(maxKeyParts - 1);
    expect((await first).records).toEqual([]);
    const { records, nextPageToken } = await listKeys(service(), tenant, { ...request, pageToken: (await first).nextPageToken });
    expect([records.map(({ keyId }) => keyId), nextPageToken]).toEqual([["Z"], ""]);
  });

  test("no more keys are read than fit into the response", async () => {
    let reads = 0;
    const counting = {
      ...store,
      list(...given: Parameters<KeyStore["list"]>) {
        reads += 1;
        return store.list(...given);
      },
    };
    const request = { kind: "issued", pageSize: 1000, filter: "", pageToken: "", ...anyKeys, maxBytes: 5, bytesOf: () => 1 } as const;
    const page = await listKeys({ ...service(), store: counting } as KeyService, tenant, request);
    expect([page.records.length, reads]).toEqual([5, 1]);
    const rest = await listKeys(service(), tenant, { ...request, pageToken: page.nextPageToken });
    expect(rest.records[0]?.keyId).toBe("B00000005");
  });

  test("so does a page of events", async () => {
    const request = { pageSize: 10, filter: 'method="Many" AND caller="few"', ...anySize };
    const first = listAuditEvents(service(), tenant, { ...request, pageToken: "" });
    expect(await turnsDuring(first)).toBeGreaterThanOrEqual(maxEventParts - 1);
    expect((await first).events).toEqual([]);
    const { events, nextPageToken } = await listAuditEvents(service(), tenant, { ...request, pageToken: (await first).nextPageToken });
    expect([events.map(({ eventId }) => eventId), nextPageToken]).toEqual([["0"], ""]);
  });

  test("a full page is complete and in order, and has a token only if there are more keys", async () => {
    const page = await listKeys(service(), tenant, {
      kind: "issued",
      pageSize: 1000,
      filter: "",
      pageToken: "",
      ...anyKeys,
    });
    expect(page.records.map(({ keyId }) => keyId)).toEqual([
      "A",
      ...Array.from({ length: 999 }, (_, i) => `B${String(i + 1).padStart(8, "0")}`),
    ]);
    expect(page.nextPageToken).not.toBe("");
    const only = await listAuditEvents(service(), tenant, {
      pageSize: 1,
      filter: 'key_id="Z"',
      pageToken: "",
      ...anySize,
    });
    expect([only.events.length, only.nextPageToken]).toEqual([1, ""]);
  });
});
