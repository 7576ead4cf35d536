import { type Document, MongoClient } from "mongodb";
import { afterAll, beforeAll, expect, test } from "vitest";
import { auditCursor, auditWalk } from "../../../src/adapters/mongo/audit.ts";
import { openMongoKeyStore } from "../../../src/adapters/mongo/key-store.ts";
import { collectionsOf } from "../../../src/adapters/mongo/schema.ts";
import { noTenantLimits } from "../../../src/ports/key-store.ts";
import { describeOnMongo } from "../../support/describe-on-mongo.ts";
import { allEvents, auditEvent } from "../../support/with-events.ts";

const database = "keywright-test-audit";
const choices = [false, true];
const filters = choices.flatMap((byKey) => choices.flatMap((byMethod) => choices.map((byCaller) => ({ byKey, byMethod, byCaller }))));

await describeOnMongo("listing audit events", {}, (mongo) => {
  let client: MongoClient;
  beforeAll(async () => {
    client = new MongoClient(mongo().uri);
    const store = await openMongoKeyStore({ uri: mongo().uri, database, clock: Date.now, timeoutMs: 20_000 });
    const events = Array.from({ length: 600 }, (_, index) =>
      auditEvent({ keyIds: [`K${index % 7}`, "K"], method: `M${index % 3}`, caller: `C${index % 2}` }),
    );
    await store.audit.append("t", events);
    await store.close();
  });
  afterAll(async () => {
    await client.db(database).dropDatabase();
    await client.close();
  });

  test("only a tenant whose retention time is shorter than that of the installation loses its events sooner", async () => {
    const hourMs = 3_600_000;
    const limits = [
      { tenantId: "short", maxKeys: null, auditRetentionMs: hourMs },
      { tenantId: "long", maxKeys: null, auditRetentionMs: 900_000 * hourMs },
    ];
    const store = await openMongoKeyStore({
      ...{ uri: mongo().uri, database, clock: Date.now, timeoutMs: 20_000, retentionIntervalMs: 20 },
      tenantLimits: { ...noTenantLimits, all: () => limits },
    });
    for (const tenant of ["short", "long", "usual"]) {
      const events = [0.9, 1.1, 2].map((hours) => auditEvent({ timeMs: Date.now() - hours * hourMs }));
      await store.audit.append(tenant, events);
    }
    const count = async (tenant: string) => (await allEvents(store, tenant, { limit: 10 })).length;
    await expect.poll(() => count("short")).toBe(1);
    expect([await count("long"), await count("usual")]).toEqual([3, 3]);
    await store.close();
  });

  test.each(filters)(
    "by key: $byKey, method: $byMethod, caller: $byCaller: walks an index in order, no further than the page",
    async (by) => {
      const { byKey, byMethod, byCaller } = by;
      const query = {
        ...(byKey && { keyId: "K1" }),
        ...(byMethod && { method: "M1" }),
        ...(byCaller && { caller: "C1" }),
        fromMs: 0,
        limit: 10,
      };
      const cursor = auditCursor(collectionsOf(client.db(database)).auditEvents, auditWalk("t", query), query.limit);
      const { queryPlanner, executionStats } = await cursor.explain("executionStats");
      const stages = stagesOf(queryPlanner.winningPlan);
      expect(stages).toContain("IXSCAN");
      expect(stages).not.toContain("SORT");
      expect(stages).not.toContain("COLLSCAN");
      expect(executionStats.nReturned).toBe(10);
      // The other filters reduce what the first one finds, here at most six-fold.
      expect(executionStats.totalKeysExamined).toBeLessThan(70);
    },
  );

  test("if few of very many events match, each step checks a bounded number of them, and none is missed", async () => {
    const store = await openMongoKeyStore({ uri: mongo().uri, database, clock: Date.now, timeoutMs: 20_000 });
    const eventId = (index: number) => `E${String(index).padStart(5, "0")}`;
    const events = Array.from({ length: 4500 }, (_, index) => auditEvent({ eventId: eventId(index), method: "M", caller: "many" }));
    const few = [10, 2500, 2501].map((index) => ({ ...events[index], caller: "few" }) as (typeof events)[0]);
    await store.audit.append("few", events.toSpliced(10, 1, few[0] as (typeof events)[0]).toSpliced(2500, 2, ...few.slice(1)));
    const query = { method: "M", caller: "few", limit: 10 };
    const first = await store.audit.list("few", query);
    expect(first).toEqual({ events: few.slice(1).toReversed(), lastEventId: eventId(2500) });
    expect(await store.audit.list("few", { ...query, limit: 1 })).toEqual({ events: few.slice(2), lastEventId: eventId(2501) });
    expect(await allEvents(store, "few", query)).toEqual(few.toReversed());
    await store.close();
  });
});

/** Returns the names of all stages of a plan. */
function stagesOf(plan: Document): string[] {
  return [plan.stage, ...(plan.inputStage === undefined ? [] : stagesOf(plan.inputStage))];
}
