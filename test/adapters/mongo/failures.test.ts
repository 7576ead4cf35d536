import { type Document, MongoClient } from "mongodb";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openMongoKeyStore } from "../../../src/adapters/mongo/key-store.ts";
import type { KeyRecord } from "../../../src/core/key.ts";
import { Failure } from "../../../src/error/failure.ts";
import type { SharedKeyStore } from "../../../src/ports/shared-key-store.ts";
import { describeOnMongo } from "../../support/describe-on-mongo.ts";
import { keyRecord } from "../../support/key-record.ts";
import { startTcpProxy, type TcpProxy } from "../../support/tcp-proxy.ts";
import { auditEvent, type StoreWithEvents, withEvents } from "../../support/with-events.ts";

type TestedStore = StoreWithEvents<SharedKeyStore>;

const superseded = { reason: "superseded", description: "" } as const;
const event = (keyId: string) => auditEvent({ keyIds: [keyId] });

/**
 * Each operation of a store on its own key: prepared first, then run while the server fails. `check` is given the key, the number of the
 * operation's events in the audit trail, and the result if the operation succeeded. It returns whether key and trail agree.
 */
interface Operation {
  readonly keyId: string;
  readonly run: () => Promise<unknown>;
  readonly check?: (found: KeyRecord | null, answer: unknown) => { readonly isDone: boolean };
}

let keyCount = 0;

function operationsOn(store: TestedStore): Record<string, () => Promise<Operation>> {
  const fresh = async (kind: "issued" | "imported" = "issued") => {
    const keyId = `key-${keyCount++}`;
    await store.insert("t", keyRecord({ keyId, kind }), null, auditEvent());
    return keyId;
  };
  const changed = (keyId: string, run: Operation["run"], revision: number): Operation => ({
    keyId,
    run,
    check: (found, answer) => {
      if (answer !== undefined) expect(found?.revision).toBe(revision);
      return { isDone: found?.revision === revision };
    },
  });
  const reading = (run: (keyId: string) => Promise<unknown>) => async () => {
    const keyId = await fresh();
    return { keyId, run: () => run(keyId) };
  };
  return {
    insert: async () => {
      const keyId = `key-${keyCount++}`;
      const request = { requestId: keyId, payloadDigest: "d" };
      return changed(keyId, () => store.insert("t", keyRecord({ keyId }), request, event(keyId)), 1);
    },
    "insert over a tombstone": async () => {
      const keyId = await fresh("imported");
      await store.delete("t", "imported", keyId, auditEvent());
      return changed(keyId, () => store.insert("t", keyRecord({ keyId, kind: "imported" }), null, event(keyId)), 3);
    },
    insertMany: async () => {
      const keyId = `key-${keyCount++}`;
      return changed(keyId, () => store.insertMany("t", [{ record: keyRecord({ keyId }), request: null }], () => event(keyId)), 1);
    },
    replace: async () => {
      const keyId = await fresh();
      return changed(keyId, () => store.replace("t", keyRecord({ keyId, revision: 2 }), event(keyId)), 2);
    },
    "replace, which revokes": async () => {
      const keyId = await fresh();
      return changed(keyId, () => store.replace("t", keyRecord({ keyId, revision: 2, revocation: superseded }), event(keyId)), 2);
    },
    rotate: async () => {
      const keyId = await fresh();
      const successor = keyRecord({ keyId: `${keyId}-successor` });
      return changed(keyId, () => store.rotate("t", keyRecord({ keyId, revision: 2 }), successor, event(keyId)), 2);
    },
    delete: async () => {
      const keyId = await fresh("imported");
      return {
        keyId,
        run: () => store.delete("t", "imported", keyId, event(keyId)),
        check: (found, answer) => {
          if (answer !== undefined) expect({ found, answer }).toEqual({ found: null, answer: 2 });
          return { isDone: found === null };
        },
      };
    },
    touch: reading((keyId) => store.touch("t", [{ keyId, lastUsedTimeMs: 1 }])),
    "audit.append": async () => {
      const keyId = await fresh();
      const one = event(keyId);
      return { keyId, run: () => store.audit.append("t", [one]) };
    },
    get: reading((keyId) => store.get("t", keyId)),
    getMany: reading((keyId) => store.getMany("t", [keyId, "none"])),
    tombstoneRevision: reading((keyId) => store.tombstoneRevision("t", keyId)),
    list: reading(() => store.list("t", { kind: "issued", nowMs: 0, limit: 2 })),
    "audit.list": reading(() => store.audit.list("t", { limit: 2 })),
    acceptSecrets: reading(() => store.acceptSecrets({ current: "aaaa", retired: [] })),
    ping: reading(() => store.ping()),
    "reading the generation": reading(() => store.cacheGeneration.read()),
    "advancing the generation": reading(() => store.cacheGeneration.advance(1, "cache")),
  };
}

/** Runs the operation and returns its outcome. Fails if the operation neither succeeds nor rejects with STORE_UNAVAILABLE. */
async function outcomeOf(what: string, { run }: Operation): Promise<unknown> {
  try {
    return (await run()) ?? null;
  } catch (error) {
    if (error instanceof Failure && error.reason === "STORE_UNAVAILABLE") return undefined;
    throw new Error(`${what}: ${String(error)}, of ${String((error as Error).cause)}`, { cause: error });
  }
}

/** Expects that an acknowledged change exists once, and that any other change exists once or not at all, always together with its event. */
async function expectWhole(store: TestedStore, what: string, { keyId, check }: Operation, answer: unknown): Promise<void> {
  if (check === undefined) return;
  const events = await store.audit.list("t", { keyId, limit: 10 });
  const { isDone } = check(await store.get("t", keyId), answer);
  expect({ what, events: events.length }).toEqual({ what, events: isDone ? 1 : 0 });
}

const readingCommands = ["find", "ping"];
const commands = ["find", "insert", "update", "findAndModify", "commitTransaction", "abortTransaction", "ping"];

/** Errors of members that lose or look for a primary, or shut down; from https://www.mongodb.com/docs/manual/reference/error-codes/. */
const failoverCodes = [
  6, 7, 24, 43, 64, 89, 91, 94, 107, 112, 117, 133, 134, 189, 202, 217, 225, 237, 239, 244, 246, 251, 262, 279, 290, 317, 384, 9001, 10107,
  11600, 11601, 11602, 13388, 13435, 13436,
];
const faults: Readonly<Record<string, Document>> = {
  ...Object.fromEntries(failoverCodes.map((errorCode) => [`code ${errorCode}`, { errorCode }])),
  ...Object.fromEntries(
    [112, 251, 11602, 10107].map((errorCode) => [
      `code ${errorCode} as transient`,
      { errorCode, errorLabels: ["TransientTransactionError", "RetryableWriteError"] },
    ]),
  ),
  ...Object.fromEntries(
    [64, 91, 189, 11602].map((code) => [
      `write concern error ${code}`,
      { writeConcernError: { code, errmsg: "in a failover" }, errorLabels: ["RetryableWriteError"] },
    ]),
  ),
  "a lost connection": { closeConnection: true },
};
/** Each operation is tried with some of the errors, so that every command gets every error. KEYWRIGHT_TEST_EVERY_FAULT=1 tries all. */
const faultsOfOperation = process.env.KEYWRIGHT_TEST_EVERY_FAULT === undefined ? 8 : Object.keys(faults).length;

await describeOnMongo("a server that fails", { members: 1, failPoints: true }, (mongo) => {
  let store: TestedStore;
  let admin: MongoClient;
  const failPoint = (mode: unknown, data: Document = {}) =>
    admin.db("admin").command({ configureFailPoint: "failCommand", mode, data: { ...data, appName: "keywright" } });

  beforeAll(async () => {
    store = withEvents(await openMongoKeyStore({ uri: mongo().uri, timeoutMs: 5000, clock: Date.now }));
    admin = new MongoClient(mongo().uri);
  });
  afterAll(async () => {
    await store.close();
    await admin.close();
  });

  test.each(commands)(
    "with every error of a failover at %s causes an outage at most, and all data is complete",
    { timeout: 240_000 },
    async (command) => {
      // Operations that only read have no write concern.
      const all = Object.entries(faults).filter(([, data]) => !readingCommands.includes(command) || data.writeConcernError === undefined);
      let failed = 0;
      while (failed < all.length) {
        const failedBefore = failed;
        for (const [name, prepare] of Object.entries(operationsOn(store))) {
          for (let tried = 0; tried < faultsOfOperation; tried += 1) {
            const [fault, data] = all[failed % all.length] as [string, Document];
            const what = `${name}, ${fault} at ${command}`;
            const operation = await prepare();
            const before = await failPoint({ times: 1 }, { failCommands: [command], ...data });
            const answer = await outcomeOf(what, operation);
            const after = await failPoint("off");
            const isUsed = Number(after.count) > Number(before.count);
            failed += Number(isUsed);
            await expectWhole(store, what, operation, answer);
            // Other errors need not be tried if the operation does not use the command.
            if (!isUsed) break;
          }
        }
        expect(failed, "an operation uses the command").toBeGreaterThan(failedBefore);
      }
      console.info(`${command}: ${failed} failures`);
    },
  );

  test("with slow answers accepts a batch that takes longer than one message may", async () => {
    const hasty = withEvents(await openMongoKeyStore({ uri: mongo().uri, timeoutMs: 1500, clock: Date.now }));
    // Few keys, but five messages of them and one of the event, which take longer than one deadline.
    const metadata = Object.fromEntries(Array.from({ length: 250 }, (_, index) => [`member${index}`, index]));
    const items = Array.from({ length: 60 }, (_, index) => ({ record: keyRecord({ keyId: `slow-${index}`, metadata }), request: null }));
    await failPoint("alwaysOn", { failCommands: ["insert"], blockConnection: true, blockTimeMS: 400 });
    const outcomes = await hasty.insertMany("t", items, (keyIds) => auditEvent({ keyIds })).finally(() => failPoint("off"));
    await hasty.close();
    expect(outcomes.filter(({ outcome }) => outcome === "inserted")).toHaveLength(60);
  });

  test("a tenant whose first count takes too long does not fail the inserts of another", async () => {
    const limited = withEvents(await openMongoKeyStore({ uri: mongo().uri, timeoutMs: 1500, clock: Date.now, maxKeys: 10 }));
    await failPoint({ times: 1 }, { failCommands: ["aggregate"], blockConnection: true, blockTimeMS: 3000 });
    const counting = limited.insert("counting", keyRecord({ keyId: "A" }), null).catch((error: unknown) => error);
    expect(await limited.insert("default", keyRecord({ keyId: "A" }), null)).toMatchObject({ outcome: "inserted" });
    expect(await counting).toMatchObject({ reason: "STORE_UNAVAILABLE", message: expect.stringContaining("counted") });
    await failPoint("off");
    await limited.close();
  });

  test("with endless errors is an outage for every operation", { timeout: 60_000 }, async () => {
    const hasty = withEvents(await openMongoKeyStore({ uri: mongo().uri, timeoutMs: 1500, clock: Date.now }));
    for (const data of [{ errorCode: 11602 }, { errorCode: 112, errorLabels: ["TransientTransactionError"] }, { closeConnection: true }]) {
      const operations = await Promise.all(
        Object.entries(operationsOn(hasty)).map(async ([name, prepare]) => [name, await prepare()] as const),
      );
      await failPoint("alwaysOn", { failCommands: commands, ...data });
      const answers = await Promise.all(operations.map(([name, operation]) => outcomeOf(name, operation)));
      await failPoint("off");
      expect(answers).toEqual(operations.map(() => undefined));
      // Operations that exceed their deadline must end before the check.
      await hasty.ping();
      for (const [name, operation] of operations) await expectWhole(store, name, operation, undefined);
    }
    await hasty.close();
  });
});

await describeOnMongo("a server that vanishes silently", { members: 1 }, (mongo) => {
  let proxy: TcpProxy;
  let store: TestedStore;
  beforeAll(async () => {
    // The proxy's connections treat a member as it is; here the driver waits until it is the primary.
    await using client = new MongoClient(mongo().uri);
    await client.db("admin").command({ ping: 1 }, { readPreference: "primary" });
    proxy = await startTcpProxy(mongo().members[0]?.port as number);
    const uri = `mongodb://127.0.0.1:${proxy.port}/?directConnection=true`;
    store = withEvents(await openMongoKeyStore({ uri, timeoutMs: 5000, clock: Date.now }));
  });
  afterAll(async () => {
    await store.close();
    await proxy.close();
  });

  // The operating system knows that the connections are reset, but Node does not yet: writing to one fails at once.
  test("causes an outage at most for the first operation on each lost connection", async () => {
    for (const [name, prepare] of Object.entries(operationsOn(store))) {
      const operation = await prepare();
      proxy.set("cut");
      const answering = outcomeOf(name, operation);
      proxy.set("pass");
      await expectWhole(store, name, operation, await answering);
    }
  });
});
