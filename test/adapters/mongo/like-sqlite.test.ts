import { join } from "node:path";
import { expect, test } from "vitest";
import { openMongoKeyStore } from "../../../src/adapters/mongo/key-store.ts";
import { openSqliteKeyStore } from "../../../src/adapters/sqlite/key-store.ts";
import type { KeyKind, KeyRecord } from "../../../src/core/key.ts";
import type { KeyStore, NewKey } from "../../../src/ports/key-store.ts";
import { createRandom, type Random } from "../../hostile/random.ts";
import { describeOnMongo } from "../../support/describe-on-mongo.ts";
import { keyRecord } from "../../support/key-record.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { type StoreWithEvents, withEvents } from "../../support/with-events.ts";

type Call = (store: StoreWithEvents) => Promise<unknown>;

const tenant = "default";
const ids: Readonly<Record<"issued" | "imported" | "actor_limit", readonly string[]>> = {
  issued: ["A", "B", "C", "D"],
  imported: ["a", "b", "c"],
  actor_limit: ["l"],
};
const kinds = Object.keys(ids) as (keyof typeof ids)[];
const ended = { reason: "superseded", description: "" } as const;

// Few ids, so that calls meet what earlier ones left behind: used ids, tombstones, marks, chains, a full quota.
await describeOnMongo("beside SQLite", {}, (mongo) => {
  test("random calls get the same answers from both stores", async () => {
    using folder = temporaryFolder();
    const random = createRandom(1);
    let nowMs = 1_800_000_000_000;
    const options = { clock: () => nowMs, maxKeys: 4 };
    const open: KeyStore[] = [await openSqliteKeyStore({ ...options, path: join(folder.path, "keys.db") })];
    try {
      open.push(await openMongoKeyStore({ ...options, uri: mongo().uri, database: "like-sqlite", timeoutMs: 20_000 }));
      const stores = open.map((store) => withEvents(store));
      for (let step = 0; step < 150; step += 1) {
        nowMs += random.below(3);
        const call = await randomCall(random, stores[0] as StoreWithEvents, nowMs);
        const [sqlite, mongodb] = await Promise.all(stores.map(call));
        expect(mongodb, `step ${step}: ${described(call)}`).toEqual(sqlite);
      }
    } finally {
      for (const store of open) await store.close();
    }
  });
});

/** Returns the method and the arguments of a call. */
function described(call: Call): string {
  let text = "";
  const get =
    (_store: StoreWithEvents, method: string) =>
    async (...given: unknown[]) => {
      text = `${method} ${JSON.stringify(given)}`;
    };
  void call(new Proxy({} as StoreWithEvents, { get }));
  return text;
}

async function randomCall(random: Random, store: StoreWithEvents, nowMs: number): Promise<Call> {
  const kind = random.pick(kinds);
  const keyId = random.pick(ids[kind]);
  const record = await store.get(tenant, keyId);
  const items = Array.from({ length: 1 + random.below(6) }, () => newKey(random, nowMs));
  const status = random.pick(["active", "revoked", "expired"] as const);
  const calls: Call[] = [
    (one) => one.insert(tenant, (items[0] as NewKey).record, (items[0] as NewKey).request),
    (one) => one.insertMany(tenant, items),
    (one) => one.delete(tenant, kind, keyId, undefined, { forgetBatch: items.length > 4 }),
    (one) => one.findRequest(tenant, kind, `r${items.length}`),
    (one) => one.tombstoneRevision(tenant, keyId),
    (one) => one.touch(tenant, [{ keyId, lastUsedTimeMs: nowMs - items.length }]),
    (one) => one.list(tenant, { kind, nowMs, limit: 9, status }),
  ];
  // Without a list, which is last: most steps should change something.
  if (record === null) return random.pick(calls.slice(0, -1));
  const revision = record.revision + 1;
  const changes: Partial<KeyRecord>[] = [{ name: `n${nowMs}` }, { revocation: ended, disabled: false }];
  if (record.revocation === null) changes.push({ disabled: !record.disabled });
  const change = random.pick(changes);
  calls.push((one) => one.replace(tenant, { ...record, ...change, revision }));
  if (kind !== "issued" || record.revocation !== null || record.supersededBy !== null) return random.pick(calls);
  const successor = keyRecord({ keyId: random.pick(ids.issued), lineageId: record.lineageId, createTimeMs: nowMs });
  const grace = random.pick([{ revocation: ended }, { expireTimeMs: nowMs + 2 }, { expireTimeMs: nowMs + 50 }]);
  const retired = { ...record, ...grace, disabled: false, revision, supersededBy: successor.keyId };
  calls.push((one) => one.rotate(tenant, retired, successor, undefined, items[0]?.request));
  return random.pick(calls);
}

function newKey(random: Random, nowMs: number): NewKey {
  const kind: KeyKind = random.pick(kinds);
  const request = random.pick([null, { requestId: `r${random.below(7)}`, payloadDigest: `d${random.below(2)}` }]);
  // A limit of an actor does not count in the quota.
  const revocation = kind === "actor_limit" ? ended : null;
  const record = keyRecord({
    kind,
    keyId: random.pick(ids[kind]),
    revocation,
    createTimeMs: nowMs,
    expireTimeMs: random.pick([null, nowMs + 9]),
  });
  return { record, request, batchMark: random.pick([null, "b1 x", "b2 x"]) };
}
