import { MongoClient, MongoServerError, MongoServerSelectionError, type TopologyDescription } from "mongodb";
import { afterEach, describe, expect, test, vi } from "vitest";
import { storeError } from "../../../src/adapters/mongo/errors.ts";
import { openMongoKeyStore } from "../../../src/adapters/mongo/key-store.ts";
import { openFailure } from "../../../src/adapters/mongo/open-failure.ts";
import { Failure } from "../../../src/error/failure.ts";
import { StartError } from "../../../src/error/start-error.ts";
import { noTenantLimits } from "../../../src/ports/key-store.ts";
import type { SharedKeyStore } from "../../../src/ports/shared-key-store.ts";
import { describeOnMongo } from "../../support/describe-on-mongo.ts";
import { freePorts } from "../../support/free-port.ts";
import { keyRecord } from "../../support/key-record.ts";
import { auditEvent, type StoreWithEvents, withEvents } from "../../support/with-events.ts";

const open = async (uri: string, timeoutMs = 1000) => withEvents(await openMongoKeyStore({ uri, timeoutMs, clock: Date.now }));

type TestedStore = StoreWithEvents<SharedKeyStore>;

/** Returns everything that a log could show of an error and its causes. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return [error.message, error.stack, JSON.stringify(error), error.cause === undefined ? "" : textOf(error.cause)].join("\n");
}

async function errorOf(opening: Promise<TestedStore>): Promise<Error> {
  return opening.then(
    async (store) => {
      await store.close();
      throw new Error("the store was opened");
    },
    (error: Error) => error,
  );
}

await describeOnMongo("a standalone mongod", { standalone: true }, (mongo) => {
  test("is refused", async () => {
    expect((await errorOf(open(mongo().uri))).message).toMatch(
      /^127\.0\.0\.1:\d+: cannot be used as the key store: it is a standalone mongod/,
    );
  });

  test("whose URI names a replica set is refused, and the error names the set", async () => {
    const { message } = await errorOf(open(`${mongo().uri}?replicaSet=rs9`));
    expect(message).toMatch(/: no server is a member of the replica set rs9; check replicaSet in the URI/);
  });
});

await describeOnMongo("a replica set without a primary", { members: 1 }, (mongo) => {
  test("is named by the error of an operation that gets no answer, with the reason of each member", async () => {
    const store = await open(mongo().uri);
    await mongo().members[0]?.kill("SIGKILL");
    await expect
      .poll(() => store.get("t", "k").catch((error: Error) => (error.cause as Error).message), { timeout: 20_000 })
      .toMatch(/^MongoDB did not answer within 1000 ms; no primary was found; 127\.0\.0\.1:\d+: .*ECONNREFUSED/)
      .finally(() => store.close());
  });
});

test("a replica set that is not initiated is an error that says how to initiate it", () => {
  const reason = { servers: new Map([["a:1", { type: "RSGhost" }]]) } as unknown as TopologyDescription;
  expect(openFailure(new MongoServerSelectionError("timed out", reason), "rs")).toContain("run rs.initiate()");
});

test("an error about a missing right names the command and the roles, and holds nothing of what was written", () => {
  // As mongod 6 says it.
  const errmsg = 'not authorized on kw to execute command { insert: "keys",\n documents: [[{_id: default/01A, metadata: "private"}]] }';
  const error = new MongoServerError({ message: errmsg, code: 13 });
  const text = /^not authorized on kw to execute command insert; .*role readWrite on the database, and dbAdmin/;
  expect(openFailure(error, "rs")).toMatch(text);
  const failure = storeError(error) as Failure;
  expect(failure).toMatchObject({ reason: "STORE_UNAVAILABLE", cause: { message: expect.stringMatching(text) } });
  expect(textOf(failure)).not.toContain("private");
  const noLogin = new MongoServerError({ message: "command listCollections requires authentication", code: 13 });
  expect(openFailure(noLogin, "rs")).toMatch(/requires authentication; KEYWRIGHT_STORE must name a user/);
});

describe("a URI", () => {
  test("of an unreachable server is refused within the time-out, and the error names the host", async () => {
    const [port] = await freePorts(1);
    const startMs = performance.now();
    const error = await errorOf(open(`mongodb://user:pass-word-1@127.0.0.1:${port}/?replicaSet=rs`));
    expect(performance.now() - startMs).toBeLessThan(3000);
    expect(error.message).toMatch(
      new RegExp(`^127\\.0\\.0\\.1:${port}: cannot be used as the key store: .*; check the hosts and ports in the URI`),
    );
    expect(textOf(error)).not.toContain("pass-word-1");
  });

  test("that names a database of a forbidden name is refused, and the error names the host and says why", async () => {
    const error = await errorOf(open("mongodb://user:pass-word-1@host/a.b"));
    expect(error).toBeInstanceOf(StartError);
    expect(error.message).toBe("host:27017: cannot be used as the key store: Database names cannot contain the character '.'");
    expect(textOf(error)).not.toContain("pass-word-1");
  });

  test.each([
    "mongodb://user:pass-word-1@host:port/",
    "mongodb://user:pass-word-1@host@host/",
    "mongodb://user:pass-word-1%@host/",
    "mongodb://user:pass-word-1@host/?unknownOption=1",
    "mongodb://user:pass-word-1@/",
    "mongodb://user:pass-word-1@host/?tls=maybe",
  ])("that is malformed is refused, and the error does not contain the password: %s", async (uri) => {
    const error = await errorOf(open(uri));
    expect(error.message).toMatch(/^the MongoDB URI cannot be used: ./);
    expect(textOf(error)).not.toContain("pass-word-1");
  });
});

await describeOnMongo("a replica set", { members: 1 }, (mongo) => {
  test("refuses wrong credentials, and the error does not contain the password", async () => {
    const error = await errorOf(open(mongo().uri.replace("mongodb://", "mongodb://app:pass%2Dword-1@")));
    expect(error.message).toMatch(/cannot be used as the key store: Authentication failed/);
    expect(textOf(error)).not.toMatch(/pass-word-1|pass%2Dword-1/);
  });

  describe("that does not answer", () => {
    let store: TestedStore | undefined;
    afterEach(async () => {
      await mongo().members[0]?.kill("SIGCONT");
      await store?.close();
    });

    const record = keyRecord();
    const calls: Record<string, (store: TestedStore) => Promise<unknown>> = {
      insert: (store) => store.insert("t", keyRecord({ keyId: "A" }), null),
      "insert with a request id": (store) => store.insert("t", keyRecord({ keyId: "B" }), { requestId: "r", payloadDigest: "" }),
      insertMany: (store) => store.insertMany("t", [{ record: keyRecord({ keyId: "C" }), request: null }]),
      get: (store) => store.get("t", record.keyId),
      "two gets": (store) => Promise.all([store.get("t", record.keyId), store.get("t", "other")]),
      list: (store) => store.list("t", { kind: "issued", nowMs: 0, limit: 1 }),
      replace: (store) => store.replace("t", { ...record, revision: 2 }),
      rotate: (store) => store.rotate("t", { ...record, revision: 2 }, keyRecord({ keyId: "D" })),
      delete: (store) => store.delete("t", "issued", record.keyId),
      touch: (store) => store.touch("t", [{ keyId: record.keyId, lastUsedTimeMs: 1 }]),
      "audit.append": (store) => store.audit.append("t", [auditEvent()]),
      "audit.list": (store) => store.audit.list("t", { limit: 1 }),
      ping: (store) => store.ping(),
      "reading the cache generation": (store) => store.cacheGeneration.read(),
      "advancing the cache generation": (store) => store.cacheGeneration.advance(0, "a"),
    };

    test("fails every call with STORE_UNAVAILABLE at its deadline, and serves again when it continues", async () => {
      store = await open(mongo().uri);
      await store.insert("t", record, null);
      await mongo().members[0]?.kill("SIGSTOP");
      const opened = store;
      await Promise.all(
        Object.entries(calls).map(async ([name, call]) => {
          const startMs = performance.now();
          const error = await call(opened).catch((thrown: unknown) => thrown);
          expect(error, name).toBeInstanceOf(Failure);
          expect((error as Failure).reason, name).toBe("STORE_UNAVAILABLE");
          expect(performance.now() - startMs, name).toBeLessThan(2500);
        }),
      );
      await mongo().members[0]?.kill("SIGCONT");
      await expect.poll(() => opened.get("t", record.keyId).catch(() => null), { timeout: 20_000 }).not.toBeNull();
    });

    test("does not prevent close from ending", async () => {
      store = await open(mongo().uri);
      await mongo().members[0]?.kill("SIGSTOP");
      const reading = store.get("t", "A").catch((error: unknown) => error);
      await store.close();
      expect(await reading).toMatchObject({ reason: "STORE_UNAVAILABLE" });
    });
  });

  test("refuses data that is too large as our own error, not as an outage", async () => {
    const store = await open(mongo().uri, 10_000);
    const inserting = store.insert("t", keyRecord({ keyId: "HUGE", name: "x".repeat(17 * 1024 * 1024) }), null);
    await expect(inserting).rejects.toSatisfy((error) => error instanceof Error && !(error instanceof Failure));
    await store.close();
  });

  test("leaves no connection if the store cannot be opened after the connection succeeded", async () => {
    const close = vi.spyOn(MongoClient.prototype, "close");
    const unusable = () => {
      throw new Error("no limits");
    };
    try {
      const tenantLimits = { ...noTenantLimits, of: unusable };
      await expect(openMongoKeyStore({ uri: mongo().uri, clock: Date.now, tenantLimits })).rejects.toThrow("no limits");
      expect(close).toHaveBeenCalledOnce();
    } finally {
      close.mockRestore();
    }
  });
});
