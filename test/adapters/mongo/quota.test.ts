import { MongoClient } from "mongodb";
import { expect, test } from "vitest";
import type { KeyDocument } from "../../../src/adapters/mongo/document.ts";
import { createTenantQuota } from "../../../src/adapters/mongo/quota.ts";
import { type Collections, collectionsOf, ensureSchema } from "../../../src/adapters/mongo/schema.ts";
import { newTenantRecord, unchangedTenant } from "../../../src/core/tenant.ts";
import { createTenantSettings } from "../../../src/service/tenants/tenant-settings.ts";
import { describeOnMongo } from "../../support/describe-on-mongo.ts";

await describeOnMongo("a key quota", { members: 1 }, (mongo) => {
  test("only what takes places waits for the first count, up to its deadline, and places given back meanwhile are part of it", async () => {
    await using client = new MongoClient(mongo().uri);
    const db = client.db("slow");
    await ensureSchema(db, 86_400_000);
    const real = collectionsOf(db);
    const key = { _id: "tenant/A", kind: "issued", revoked: false } as unknown as KeyDocument;
    await real.keys.insertOne(key);
    await real.keyCounts.insertOne({ _id: "tenant", used: 5, corrections: 0 });
    const slow = holdCounts(real);
    const quota = createTenantQuota(client, slow.collections, () => 10);

    const waiting = new AbortController();
    const refused = quota.ready("tenant", waiting.signal).catch((error: unknown) => error);
    await slow.begun;
    const { signal } = new AbortController();
    await quota.transaction("tenant", signal, async (session) => {
      await real.keys.deleteOne({ _id: key._id }, { session });
      await quota.release("tenant", { session, signal });
    });
    waiting.abort(new Error("the deadline"));
    expect(await refused).toMatchObject({ reason: "STORE_UNAVAILABLE", message: expect.stringContaining("not counted yet") });
    const later = quota.ready("tenant", signal);
    slow.goOn();
    await later;
    expect(await real.keyCounts.findOne({ _id: "tenant" })).toMatchObject({ used: 0 });
  });

  test("a transaction that gives a place back as of a moment before the first count starts over", async () => {
    await using client = new MongoClient(mongo().uri);
    const db = client.db("late");
    await ensureSchema(db, 86_400_000);
    const collections = collectionsOf(db);
    await collections.keys.insertOne({ _id: "tenant/A", kind: "issued", revoked: false } as unknown as KeyDocument);
    const quota = createTenantQuota(client, collections, () => 10);
    const { signal } = new AbortController();
    await quota.transaction("tenant", signal, async (session) => {
      await collections.keys.deleteOne({ _id: "tenant/A" }, { session });
      await quota.ready("tenant", signal);
      await quota.release("tenant", { session, signal });
    });
    expect(await collections.keyCounts.findOne({ _id: "tenant" })).toMatchObject({ used: 0 });
  });

  test("a limit that was taken away and set again counts the keys that another process added meanwhile", async () => {
    await using client = new MongoClient(mongo().uri);
    const db = client.db("again");
    await ensureSchema(db, 86_400_000);
    const collections = collectionsOf(db);
    const settings = createTenantSettings();
    const note = (revision: number, maxKeys: number | null) =>
      settings.note("tenant", { ...newTenantRecord({ ...unchangedTenant("tenant"), maxKeys }, 0), revision });
    const quota = createTenantQuota(client, collections, (tenant) => settings.of(tenant).maxKeys, settings.quotaSince);
    const { signal } = new AbortController();
    const take = async () => {
      await quota.ready("tenant", signal);
      return quota.transaction("tenant", signal, (session) => quota.take("tenant", 1, { session, signal }));
    };
    const addUnseen = (id: string) =>
      collections.keys.insertOne({ _id: `tenant/${id}`, kind: "issued", revoked: false } as unknown as KeyDocument);

    note(1, 1);
    await quota.ready("tenant", signal);
    note(2, null);
    await addUnseen("A");
    note(3, 1);
    expect(await take()).toEqual({ limit: 1, used: 1 });
    // This process did not see revision 4.
    await addUnseen("B");
    note(5, 2);
    expect(await take()).toEqual({ limit: 2, used: 2 });
    // With a limit all along, no key is added unseen.
    note(6, 3);
    expect(quota.isReady("tenant")).toBe(true);
    expect(await take()).toBe(null);
  });

  test("transactions that wait for the first count respect their deadlines", async () => {
    await using client = new MongoClient(mongo().uri);
    const quota = createTenantQuota(client, collectionsOf(client.db("quota")), () => 1);
    // Connects first, so that the wait is for the answer, which has no time-out of its own.
    await client.connect();
    await mongo().members[0]?.kill("SIGSTOP");
    try {
      const startMs = performance.now();
      const waiting = [300, 600].map((timeoutMs) => quota.ready("tenant", AbortSignal.timeout(timeoutMs)));
      expect((await Promise.allSettled(waiting)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
      expect(performance.now() - startMs).toBeLessThan(3000);
    } finally {
      await mongo().members[0]?.kill("SIGCONT");
    }
  });
});

/** The real collections, whose first count of keys waits after the moment that it counts. */
function holdCounts(real: Collections) {
  const [begun, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const keys = new Proxy(real.keys, {
    get(target, name) {
      const member = Reflect.get(target, name) as unknown;
      if (name !== "aggregate") return typeof member === "function" ? member.bind(target) : member;
      return (...given: Parameters<typeof target.aggregate>) => ({
        async toArray() {
          begun.resolve();
          await released.promise;
          return target.aggregate(...given).toArray();
        },
      });
    },
  });
  return { collections: { ...real, keys }, begun: begun.promise, goOn: released.resolve };
}
