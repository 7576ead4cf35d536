import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { InsertOutcome, KeyStore } from "../../src/ports/key-store.ts";
import { keyRecord } from "../support/key-record.ts";
import { type StoreWithEvents, withEvents } from "../support/with-events.ts";

export interface OpenQuotaStores {
  /**
   * Opens one store with this quota (null: unlimited) as often as it can be open at once. A store that can be open only once is opened
   * anew.
   */
  open(maxKeys: number | null): Promise<readonly KeyStore[]>;
  dispose(): Promise<void>;
}

const maxKeys = 20;
const superseded = { reason: "superseded", description: "" } as const;
const full = { outcome: "quota_exhausted", limit: maxKeys, used: maxKeys };
const count = (outcomes: readonly InsertOutcome[], outcome: InsertOutcome["outcome"]) =>
  outcomes.filter((one) => one.outcome === outcome).length;

/** The contract of `maxKeys` of a key store: the part of KeyStore's doc comment about quotas. */
export function describeKeyQuota(name: string, start: () => Promise<OpenQuotaStores>): void {
  describe(`key quota: ${name}`, () => {
    let opened: OpenQuotaStores;
    let stores: readonly StoreWithEvents[];
    const open = async (limit: number | null) => {
      stores = (await opened.open(limit)).map((store) => withEvents(store));
    };
    beforeAll(async () => {
      opened = await start();
      await open(maxKeys);
    });
    afterAll(() => opened?.dispose());
    const store = (index = 0) => stores[index % stores.length] as StoreWithEvents;
    const newTenant = () => `tenant-${randomUUID()}`;
    const keyId = (index: number) => `K${String(index).padStart(4, "0")}`;
    const fill = (tenant: string, keyCount = maxKeys) =>
      store().insertMany(
        tenant,
        Array.from({ length: keyCount }, (_, index) => ({ record: keyRecord({ keyId: keyId(index), kind: "imported" }), request: null })),
      );
    const isFull = async (tenant: string) =>
      (await store().insert(tenant, keyRecord({ keyId: "ONE-MORE" }), null)).outcome === "quota_exhausted";

    test("of concurrent inserts and batches on all handles exactly as many succeed as the quota allows", async () => {
      const tenant = newTenant();
      const request = (index: number) => (index % 2 === 0 ? null : { requestId: `r${index}`, payloadDigest: "d" });
      const singles = Array.from({ length: 30 }, (_, index) =>
        store(index).insert(tenant, keyRecord({ keyId: keyId(index) }), request(index)),
      );
      const batches = Array.from({ length: 4 }, (_, batch) =>
        store(batch).insertMany(
          tenant,
          Array.from({ length: 7 }, (_, index) => ({
            record: keyRecord({ keyId: `B${batch}-${index}` }),
            request: request(100 * (batch + 1) + index),
          })),
        ),
      );
      const outcomes = [...(await Promise.all(singles)), ...(await Promise.all(batches)).flat()];
      expect(count(outcomes, "inserted")).toBe(maxKeys);
      expect(count(outcomes, "quota_exhausted")).toBe(58 - maxKeys);
      expect(await store().list(tenant, { kind: "issued", nowMs: 0, limit: 100 })).toHaveLength(maxKeys);
    });

    test("a batch fills the remaining quota in order, and distinguishes used ids from a full quota", async () => {
      const tenant = newTenant();
      await fill(tenant, maxKeys - 2);
      const item = (id: string) => ({ record: keyRecord({ keyId: id }), request: null });
      const outcomes = await store().insertMany(tenant, [item("A"), item(keyId(0)), item("B"), item("C"), item(keyId(1)), item("D")]);
      expect(outcomes.map(({ outcome }) => outcome)).toEqual([
        "inserted",
        "key_id_used",
        "inserted",
        "quota_exhausted",
        "key_id_used",
        "quota_exhausted",
      ]);
      expect(outcomes[3]).toEqual(full);
      expect(await store().get(tenant, "C")).toBeNull();
    });

    test("a full quota refuses only what it counts", async () => {
      const tenant = newTenant();
      await fill(tenant);
      const outcomes = await store().insertMany(tenant, [
        { record: keyRecord({ keyId: "A" }), request: null },
        { record: keyRecord({ keyId: "B", kind: "actor_limit", revocation: superseded }), request: null },
      ]);
      expect(outcomes).toMatchObject([full, { outcome: "inserted" }]);
    });

    test("a repeated batch finds its keys, also deleted ones, if the quota is full", async () => {
      const tenant = newTenant();
      const batch = ["A", "B"].map((id) => ({ record: keyRecord({ keyId: id, kind: "imported" }), request: null, batchMark: id }));
      await store().insertMany(tenant, batch);
      await store().delete(tenant, "imported", "A");
      await fill(tenant, maxKeys - 1);
      expect(await store().insertMany(tenant, batch)).toMatchObject([
        { outcome: "batch_repeated", record: null },
        { outcome: "batch_repeated", record: { keyId: "B" } },
      ]);
    });

    test("a replay and a rotation succeed if the quota is full", async () => {
      const tenant = newTenant();
      await fill(tenant, maxKeys - 1);
      const request = { requestId: "r", payloadDigest: "d" };
      await store().insert(tenant, keyRecord({ keyId: "A" }), request);
      expect((await store().insert(tenant, keyRecord({ keyId: "B" }), request)).outcome).toBe("request_id_used");
      expect(await store().insert(tenant, keyRecord({ keyId: "B" }), { requestId: "s", payloadDigest: "d" })).toEqual(full);
      expect((await store().insert(tenant, keyRecord({ keyId: "A" }), null)).outcome).toBe("key_id_used");
      expect(await store().rotate(tenant, keyRecord({ keyId: "A", revision: 2, revocation: superseded }), keyRecord({ keyId: "C" }))).toBe(
        true,
      );
      expect(await isFull(tenant)).toBe(true);
    });

    test("revoking makes room once, and so does deleting a key that was not revoked; other changes make none", async () => {
      const tenant = newTenant();
      await fill(tenant);
      const record = (revision: number, name: string) => keyRecord({ keyId: keyId(0), kind: "imported", revision, name });
      await store().replace(tenant, record(2, "renamed"));
      expect(await isFull(tenant)).toBe(true);
      await store().replace(tenant, { ...record(3, "revoked"), revocation: superseded });
      expect((await store().insert(tenant, keyRecord({ keyId: "A" }), null)).outcome).toBe("inserted");
      await store().replace(tenant, { ...record(4, "renamed"), revocation: superseded });
      await store().replace(tenant, { ...record(4, "stale"), revocation: superseded });
      await store().delete(tenant, "imported", keyId(0));
      expect(await isFull(tenant)).toBe(true);
      await store().delete(tenant, "imported", keyId(1));
      expect((await store().insert(tenant, keyRecord({ keyId: keyId(1), kind: "imported" }), null)).outcome).toBe("inserted");
      expect(await isFull(tenant)).toBe(true);
    });

    test("counts concurrent revocations, deletions and inserts correctly", async () => {
      const tenant = newTenant();
      await fill(tenant);
      const changes = Array.from({ length: 10 }, (_, index) =>
        index % 2 === 0
          ? store(index / 2).delete(tenant, "imported", keyId(index))
          : store(index).replace(tenant, keyRecord({ keyId: keyId(index), kind: "imported", revision: 2, revocation: superseded })),
      );
      const inserts = Array.from({ length: 10 }, (_, index) => store(index).insert(tenant, keyRecord({ keyId: `A${index}` }), null));
      const early = await Promise.all(inserts);
      await Promise.all(changes);
      const late = await Promise.all(
        Array.from({ length: 15 }, (_, index) => store(index).insert(tenant, keyRecord({ keyId: `B${index}` }), null)),
      );
      expect(count([...early, ...late], "inserted")).toBe(10);
    });

    test("a chain of rotations counts once, whichever of its keys are revoked concurrently", async () => {
      const tenant = newTenant();
      await fill(tenant, maxKeys - 1);
      const expireTimeMs = Date.now() + 3_600_000;
      const last = 3;
      const inChain = (chain: string, index: number, revision: number) =>
        keyRecord({
          keyId: `${chain}${index}`,
          lineageId: `${chain}0`,
          revision,
          ...(index < last && { expireTimeMs, supersededBy: `${chain}${index + 1}` }),
        });
      const makeChain = async (chain: string) => {
        await store().insert(tenant, keyRecord({ keyId: `${chain}0` }), null);
        for (let index = 0; index < last; index += 1) {
          const successor = keyRecord({ keyId: `${chain}${index + 1}`, lineageId: `${chain}0` });
          expect(await store().rotate(tenant, inChain(chain, index, 2), successor)).toBe(true);
        }
      };
      const revokeAll = async (chain: string, indexes: readonly number[]) => {
        const records = indexes.map((index) => ({ ...inChain(chain, index, index < last ? 3 : 2), revocation: superseded }));
        const replaced = await Promise.all(records.map((record, index) => store(index).replace(tenant, record)));
        expect(replaced).toEqual(indexes.map(() => true));
      };
      const insertOne = async (id: string) => (await store().insert(tenant, keyRecord({ keyId: id }), null)).outcome;

      await makeChain("A");
      expect(await isFull(tenant)).toBe(true);
      await revokeAll("A", [3, 1, 0]);
      expect(await isFull(tenant)).toBe(true);
      await revokeAll("A", [2]);
      await makeChain("B");
      expect(await isFull(tenant)).toBe(true);
      await revokeAll("B", [2, 3, 0, 1]);
      expect(await insertOne("C")).toBe("inserted");
      expect(await isFull(tenant)).toBe(true);
    });

    test("deleting a key of a chain of rotations gives back the chain's place only with the last key that verifies", async () => {
      const tenant = newTenant();
      const expireTimeMs = Date.now() + 3_600_000;
      const makeChain = async (chain: string) => {
        await store().insert(tenant, keyRecord({ keyId: `${chain}0` }), null);
        const inGrace = keyRecord({ keyId: `${chain}0`, lineageId: `${chain}0`, revision: 2, expireTimeMs, supersededBy: `${chain}1` });
        expect(await store().rotate(tenant, inGrace, keyRecord({ keyId: `${chain}1`, lineageId: `${chain}0` }))).toBe(true);
      };
      await fill(tenant, maxKeys - 2);
      await makeChain("A");
      await makeChain("B");
      expect(await isFull(tenant)).toBe(true);
      // The predecessor, which holds no place, and the successor, whose place the predecessor then takes.
      await store().delete(tenant, "issued", "A0");
      await store().delete(tenant, "issued", "B1");
      expect(await isFull(tenant)).toBe(true);
      await store().delete(tenant, "issued", "A1");
      await store().delete(tenant, "issued", "B0");
      const inserted = await Promise.all(["C", "D", "E"].map((id) => store().insert(tenant, keyRecord({ keyId: id }), null)));
      expect(count(inserted, "inserted")).toBe(2);
    });

    test("tenants have a quota each", async () => {
      await fill(newTenant());
      expect(count(await fill(newTenant(), maxKeys + 1), "inserted")).toBe(maxKeys);
    });

    test("a quota that is set later counts existing keys, even if keys changed without it in between", async () => {
      const tenant = newTenant();
      await fill(tenant, 10);
      await open(null);
      await store().insertMany(
        tenant,
        Array.from({ length: 30 }, (_, index) => ({ record: keyRecord({ keyId: `A${index + 10}` }), request: null })),
      );
      for (let index = 0; index < 5; index += 1) await store().delete(tenant, "imported", keyId(index));
      for (let index = 0; index < 17; index += 1) {
        await store().replace(tenant, keyRecord({ keyId: `A${index + 10}`, revision: 2, revocation: superseded }));
      }
      await open(maxKeys);
      const again = Array.from({ length: 9 }, (_, index) => store(index).insert(tenant, keyRecord({ keyId: `B${index}` }), null));
      // 18 of 20 are in use.
      expect(count(await Promise.all(again), "inserted")).toBe(2);
    });
  });
}
