import { type Document, MongoClient } from "mongodb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openMongoKeyStore } from "../../../src/adapters/mongo/key-store.ts";
import { listCursors, maxKeysPerPart } from "../../../src/adapters/mongo/list.ts";
import { collectionsOf } from "../../../src/adapters/mongo/schema.ts";
import type { KeyStatus } from "../../../src/core/key.ts";
import { type KeyFilter, withOrder } from "../../../src/core/key-filter.ts";
import { expectFirstOfLineage } from "../../contract/key-store/old-lineage.ts";
import { describeOnMongo } from "../../support/describe-on-mongo.ts";
import { keyRecord } from "../../support/key-record.ts";
import { auditEvent, withEvents } from "../../support/with-events.ts";

const nowMs = 1_700_000_000_000;
const statuses: readonly (KeyStatus | undefined)[] = [undefined, "active", "expired", "revoked"];
const filters = [undefined, "ann"].flatMap((actorId) => statuses.map((status) => ({ actorId, status })));
const database = "keywright-test-list";

function disposable<T extends { close(): Promise<void> }>(store: T): T & AsyncDisposable {
  return { ...store, [Symbol.asyncDispose]: () => store.close() };
}

/** Returns the names of all stages of a plan. */
function stagesOf(plan: Document): string[] {
  return [plan.stage, ...[...(plan.inputStages ?? []), ...(plan.inputStage === undefined ? [] : [plan.inputStage])].flatMap(stagesOf)];
}

await describeOnMongo("list", {}, (mongo) => {
  let client: MongoClient;

  beforeAll(async () => {
    client = new MongoClient(mongo().uri);
    const store = withEvents(await openMongoKeyStore({ uri: mongo().uri, database, clock: Date.now, timeoutMs: 20_000 }));
    const expiries = [null, nowMs - 1, nowMs + 1];
    const items = Array.from({ length: 1200 }, (_, index) => ({
      record: keyRecord({
        keyId: `K${String(index).padStart(4, "0")}`,
        actorId: index % 4 === 0 ? "ann" : "bob",
        expireTimeMs: expiries[index % 3] ?? null,
        revocation: index % 5 === 0 ? { reason: "superseded", description: "" } : null,
      }),
      request: null,
    }));
    await store.insertMany("t", items.slice(0, 1000));
    await store.insertMany("t", items.slice(1000));
    for (const { record } of items.slice(0, 20)) await store.delete("t", "issued", record.keyId);
    await store.close();
  });
  afterAll(async () => {
    await client.db(database).dropDatabase();
    await client.close();
  });

  describe.each(filters)("with actor $actorId and status $status", ({ actorId, status }) => {
    const explain = (afterKeyId: string | undefined) => {
      const query = { kind: "issued", actorId, status, nowMs, afterKeyId, limit: 10 } as const;
      const [cursor] = listCursors(collectionsOf(client.db(database)).keys, "t", query);
      return (cursor as NonNullable<typeof cursor>)(10).explain("executionStats");
    };

    test.each([undefined, "K0600"])(
      "after %s: walks an index in order, and reads no more documents than it returns",
      async (afterKeyId) => {
        const { queryPlanner, executionStats } = await explain(afterKeyId);
        const stages = stagesOf(queryPlanner.winningPlan);
        expect(stages).toContain("IXSCAN");
        expect(stages).not.toContain("COLLSCAN");
        expect(stages).not.toContain("SORT");
        expect(executionStats.nReturned).toBe(10);
        expect(executionStats.totalDocsExamined).toBe(10);
        // With an actor and a status, one key in 5 to 30 matches; the keys before it match only one of the two.
        expect(executionStats.totalKeysExamined).toBeLessThan(60);
      },
    );
  });

  describe.each(["active", "expired"] as const)("%s keys, few of many", (status) => {
    const tenant = `few-${status}`;
    const few = keyRecord({ keyId: "Z", actorId: "ann", expireTimeMs: status === "active" ? null : nowMs });
    const open = async () => openMongoKeyStore({ uri: mongo().uri, database, clock: Date.now, timeoutMs: 20_000 });
    beforeAll(async () => {
      const store = withEvents(await open());
      const expireTimeMs = status === "active" ? nowMs : null;
      const many = Array.from({ length: 120 }, (_, index) =>
        keyRecord({ ...few, keyId: `K${String(index).padStart(3, "0")}`, expireTimeMs }),
      );
      await store.insertMany(
        tenant,
        [...many, few].map((record) => ({ record, request: null })),
      );
      await store.close();
    });

    test("without an actor: are found at once, in the order of their expiry", async () => {
      const query = { kind: "issued", ...withOrder({ status }, ""), nowMs, limit: 10 } as const;
      const [cursor] = listCursors(collectionsOf(client.db(database)).keys, tenant, query);
      const { executionStats } = await (cursor as NonNullable<typeof cursor>)(10).explain("executionStats");
      expect([executionStats.nReturned, executionStats.totalKeysExamined, executionStats.totalDocsExamined]).toEqual([1, 1, 1]);
    });

    test("of an actor: are found in steps, each of a bounded number of keys", async () => {
      await using store = disposable(await open());
      const query = { kind: "issued", actorId: "ann", status, nowMs, limit: 10 } as const;
      expect(await store.list(tenant, query)).toEqual({ records: [], lastKeyId: "K049" });
      expect(await store.list(tenant, { ...query, afterKeyId: "K099" })).toEqual({ records: [few], lastKeyId: null });
    });
  });

  test("many keys are read in one round trip, whether all are found or not", async () => {
    const db = client.db(database);
    await using store = disposable(await openMongoKeyStore({ uri: mongo().uri, database, clock: Date.now, timeoutMs: 20_000 }));
    await db.command({ profile: 2 });
    const ids = Array.from({ length: 20 }, (_, index) => `K${index + 100}`);
    expect(await store.getMany("few-active", [...ids, "none"])).toEqual([...ids.map((keyId) => expect.objectContaining({ keyId })), null]);
    expect(await store.getMany("few-active", ids)).not.toContain(null);
    await db.command({ profile: 0 });
    const commands = await db
      .collection("system.profile")
      .find({ op: { $in: ["query", "getmore"] }, ns: `${database}.keys` })
      .toArray();
    expect(commands.map(({ op }) => op)).toEqual(["query", "query"]);
  });

  test("one step reads, and one message adds, a bounded number of keys", async () => {
    const db = client.db(database);
    await using store = disposable(await openMongoKeyStore({ uri: mongo().uri, database, clock: Date.now, timeoutMs: 20_000 }));
    await db.command({ profile: 2 });
    const ids = Array.from({ length: 600 }, (_, index) => `P${String(index).padStart(3, "0")}`);
    const items = ids.map((keyId) => ({ record: keyRecord({ keyId }), request: null }));
    await store.insertMany("parts", items, (keyIds) => auditEvent({ keyIds }));
    const scopes = Array.from({ length: 100 }, (_, index) => `scope-${index}`);
    const large = Array.from({ length: 60 }, (_, index) => ({ record: keyRecord({ keyId: `L${index}`, scopes }), request: null }));
    await store.insertMany("large-parts", large, (keyIds) => auditEvent({ keyIds }));
    const { records, lastKeyId } = await store.list("parts", { kind: "issued", nowMs, limit: 1001 });
    await db.command({ profile: 0 });
    expect([records.length, lastKeyId]).toEqual([maxKeysPerPart, ids[maxKeysPerPart - 1]]);
    const added = await db
      .collection("system.profile")
      .find({ op: "insert", ns: `${database}.keys` })
      .toArray();
    expect(added.map(({ ninserted }) => ninserted)).toEqual([406, 194, 30, 30]);
  });

  test("a key from a version without lineages starts its own lineage, and holds the place of its chain", async () => {
    const open = async (maxKeys: number | null) =>
      withEvents(await openMongoKeyStore({ uri: mongo().uri, database, clock: Date.now, timeoutMs: 20_000, maxKeys }));
    const before = await open(null);
    await before.insert("lineage", keyRecord({ keyId: "OLD", name: "old" }), null);
    await before.close();
    const { keys } = collectionsOf(client.db(database));
    const unset = { lineageId: 1, supersededBy: 1, disabled: 1, tenant: 1, useHour: 1, terms: 1 } as const;
    await keys.updateOne({ _id: "lineage/OLD" }, { $unset: unset });
    const after = await open(1);
    await expectFirstOfLineage(after, "lineage", "OLD");
    await after.close();
  });

  test("keys of an earlier version are found by the new filters after the next start", async () => {
    const open = async () => withEvents(await openMongoKeyStore({ uri: mongo().uri, database, clock: Date.now, timeoutMs: 20_000 }));
    const before = await open();
    const record = keyRecord({ name: "old", scopes: ["read"], metadata: { team: "blue" }, createTimeMs: 1, lastUsedTimeMs: 7_200_000 });
    await before.insert("old", record, null);
    await before.close();
    const { keys } = collectionsOf(client.db(database));
    await keys.updateOne({ _id: `old/${record.keyId}` }, { $unset: { tenant: 1, useHour: 1, terms: 1 } });
    const after = await open();
    const used = { fromMs: 7_200_000, untilMs: 7_200_001 };
    const found: KeyFilter[] = [
      { scopes: ["read"] },
      { metadata: [["team", "blue"]] },
      { name: { text: "ol", isPrefix: true } },
      { lastUsedTime: used },
    ];
    for (const filter of found) expect(await after.list("old", { kind: "issued", ...filter, nowMs, limit: 10 })).toEqual([record]);
    await after.close();
  });
});
