import { MongoClient } from "mongodb";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openMongoKeyStore } from "../../../src/adapters/mongo/key-store.ts";
import { Failure } from "../../../src/error/failure.ts";
import { describeOnMongo } from "../../support/describe-on-mongo.ts";
import { keyRecord } from "../../support/key-record.ts";
import type { MongoServer } from "../../support/mongo-server.ts";
import { type StoreWithEvents, withEvents } from "../../support/with-events.ts";

const superseded = { reason: "superseded", description: "" } as const;

/**
 * Issues, replaces and rotates keys until the scenario ends. The scenario is given the number of acknowledged keys. Returns the last
 * acknowledged revision of each key, and the longest time without an acknowledgement.
 */
async function writeDuring(store: StoreWithEvents, tag: string, scenario: (acknowledgedCount: () => number) => Promise<void>) {
  const acknowledged = new Map<string, number>();
  let isOver = false;
  const playing = scenario(() => acknowledged.size).finally(() => {
    isOver = true;
  });
  let lastMs = performance.now();
  let longestGapMs = 0;
  const acknowledge = (keyId: string, revision: number) => {
    longestGapMs = Math.max(longestGapMs, performance.now() - lastMs);
    lastMs = performance.now();
    acknowledged.set(keyId, revision);
  };
  const live = async (keyId: string) => {
    await store.insert("t", keyRecord({ keyId }), { requestId: keyId, payloadDigest: "d" });
    acknowledge(keyId, 1);
    const more = [`${keyId}-many-1`, `${keyId}-many-2`];
    const outcomes = await store.insertMany(
      "t",
      more.map((id) => ({ record: keyRecord({ keyId: id }), request: null })),
    );
    for (const [index, { outcome }] of outcomes.entries()) if (outcome === "inserted") acknowledge(more[index] as string, 1);
    if (await store.replace("t", keyRecord({ keyId, revision: 2 }))) acknowledge(keyId, 2);
    const successor = keyRecord({ keyId: `${keyId}-successor` });
    if (await store.rotate("t", keyRecord({ keyId, revision: 3, revocation: superseded }), successor)) {
      acknowledge(keyId, 3);
      acknowledge(successor.keyId, 1);
    }
  };
  const worker = async (name: string) => {
    for (let index = 0; !isOver; index += 1) {
      // An outage is not a fault here if it is reported as an outage.
      await live(`${name}-${index}`).catch((error: unknown) => {
        if (!(error instanceof Failure && error.reason === "STORE_UNAVAILABLE")) throw error;
      });
    }
  };
  await Promise.all([playing, ...Array.from({ length: 8 }, (_, index) => worker(`${tag}-${index}`))]);
  return { acknowledged, longestGapMs };
}

/** Waits until many more keys are acknowledged. */
async function manyMore(count: () => number): Promise<void> {
  const before = count();
  await expect.poll(count, { timeout: 30_000 }).toBeGreaterThan(before + 200);
}

async function primaryPort(mongo: MongoServer): Promise<number> {
  await using client = new MongoClient(mongo.uri);
  const { primary } = await client.db("admin").command({ hello: 1 }, { readPreference: "primary" });
  return Number(String(primary).split(":")[1]);
}

await describeOnMongo("a replica set of three under writes", { members: 3 }, (mongo) => {
  let store: StoreWithEvents;
  beforeAll(async () => {
    store = withEvents(await openMongoKeyStore({ uri: mongo().uri, clock: Date.now }));
  });
  afterAll(() => store.close());

  const stepDown = async () => {
    await using client = new MongoClient(mongo().uri);
    await client.db("admin").command({ replSetStepDown: 5, force: true });
  };
  const kill = async () => {
    const port = await primaryPort(mongo());
    const primary = mongo().members.find((member) => member.port === port);
    await primary?.kill("SIGKILL");
    return primary;
  };

  test.each([
    ["steps down", stepDown],
    ["is killed", kill],
  ])("loses nothing that was acknowledged if the primary %s", async (name, fault) => {
    const { acknowledged, longestGapMs } = await writeDuring(store, name.replaceAll(" ", "-"), async (count) => {
      await manyMore(count);
      const killed = await fault();
      await manyMore(count);
      await killed?.restart();
      await manyMore(count);
    });
    console.info(`the primary ${name}: ${acknowledged.size} keys acknowledged, no write for ${Math.round(longestGapMs)} ms`);
    expect(acknowledged.size).toBeGreaterThan(50);
    // Writing continued after the fault.
    expect(longestGapMs).toBeLessThan(6000);
    const found = await Promise.all(Array.from(acknowledged.keys(), (keyId) => store.get("t", keyId)));
    const lost = Array.from(acknowledged, ([keyId, revision], index) => ({ keyId, revision, found: found[index]?.revision ?? 0 }));
    expect(lost.filter((key) => key.found < key.revision)).toEqual([]);
  });
});
