import { describe, expect, test } from "vitest";
import type { KeyRecord } from "../../../src/core/key.ts";
import { keyRecord } from "../../support/key-record.ts";
import type { KeyStoreContext } from "../key-store.ts";

const record = keyRecord({ keyId: "0123456789abcdef".repeat(4), kind: "imported", revision: 3, firstRevision: 3 });
const { keyId } = record;

export function describeDeletes(context: KeyStoreContext): void {
  describe("delete", () => {
    test("removes the key and returns one above its revision; a second delete finds nothing", async () => {
      const tenant = context.newTenant();
      await context.store.insert(tenant, record, null);
      expect(await context.store.delete(tenant, "imported", keyId)).toBe(4);
      expect(await context.store.get(tenant, keyId)).toBeNull();
      expect(await context.store.list(tenant, { kind: "imported", nowMs: 0, limit: 10 })).toEqual([]);
      expect(await context.store.delete(tenant, "imported", keyId)).toBeNull();
    });

    test("leaves a tombstone until a key with this id is inserted", async () => {
      const tenant = context.newTenant();
      const revision = () => context.store.tombstoneRevision(tenant, keyId);
      await context.store.insert(tenant, record, null);
      expect(await revision()).toBeNull();
      await context.store.delete(tenant, "imported", keyId);
      expect([await revision(), await context.store.tombstoneRevision(context.newTenant(), keyId)]).toEqual([4, null]);
      await context.store.insert(tenant, record, null);
      expect(await revision()).toBeNull();
    });

    test("makes the request id that it names usable again, but only if it deletes a key", async () => {
      const tenant = context.newTenant();
      const request = { requestId: "r", payloadDigest: "d" };
      const insert = async () => (await context.store.insert(tenant, record, request)).outcome;
      await insert();
      const forget = () => context.store.delete(tenant, "imported", keyId, undefined, { revision: 3, forgetRequestId: "r" });
      expect(await forget()).toBe(4);
      expect(await insert()).toBe("inserted");
      expect(await forget()).toBeNull();
      await context.store.delete(tenant, "imported", keyId);
      expect(await insert()).toBe("request_id_used");
    });

    test("returns null and changes nothing for an unknown key, or one of the other kind or another tenant", async () => {
      const tenant = context.newTenant();
      await context.store.insert(tenant, record, null);
      expect(await context.store.delete(tenant, "issued", keyId)).toBeNull();
      expect(await context.store.delete(context.newTenant(), "imported", keyId)).toBeNull();
      expect(await context.store.delete(tenant, "imported", "unknown")).toBeNull();
      expect(await context.store.get(tenant, keyId)).toEqual(record);
    });

    test("leaves nothing for replace, rotate or touch to find", async () => {
      const tenant = context.newTenant();
      await context.store.insert(tenant, record, null);
      await context.store.delete(tenant, "imported", keyId);
      for (const revision of [4, 5]) {
        expect(await context.store.replace(tenant, { ...record, revision })).toBe(false);
        expect(await context.store.rotate(tenant, { ...record, revision }, keyRecord({ keyId: "SUCCESSOR" }))).toBe(false);
      }
      await context.store.touch(tenant, [{ keyId, lastUsedTimeMs: 1 }]);
      expect(await context.store.get(tenant, keyId)).toBeNull();
      expect(await context.store.get(tenant, "SUCCESSOR")).toBeNull();
    });

    test("makes a later insert of the id start above the tombstone, every time", async () => {
      const tenant = context.newTenant();
      const first = { ...record, revision: 1 };
      await context.store.insert(tenant, first, null);
      let lastRevision = 1;
      for (let round = 0; round < 3; round += 1) {
        const tombstone = await context.store.delete(tenant, "imported", keyId);
        expect(tombstone).toBe(lastRevision + 1);
        const outcome = await context.store.insert(tenant, first, null);
        const stored = await context.store.get(tenant, keyId);
        expect(outcome).toEqual({ outcome: "inserted", record: stored });
        expect(stored).toEqual({ ...first, revision: stored?.revision, firstRevision: stored?.revision });
        expect(stored?.revision).toBeGreaterThan(tombstone ?? Number.POSITIVE_INFINITY);
        lastRevision = stored?.revision ?? 0;
      }
    });

    test("is followed by a new key whose changes keep its first revision", async () => {
      const tenant = context.newTenant();
      await context.store.insert(tenant, record, null);
      await context.store.delete(tenant, "imported", keyId);
      await context.store.insertMany(tenant, [{ record, request: null }]);
      const stored = (await context.store.get(tenant, keyId)) as KeyRecord;
      expect(stored.firstRevision).toBe(stored.revision);
      const changed = { ...stored, revision: stored.revision + 1, firstRevision: 1, name: "changed" };
      expect(await context.store.replace(tenant, changed)).toBe(true);
      expect(await context.store.get(tenant, keyId)).toEqual({ ...changed, firstRevision: stored.firstRevision });
    });

    test("keeps the request id used: its replay finds no key, not even a new one with the same id", async () => {
      const tenant = context.newTenant();
      const request = { requestId: "r", payloadDigest: "d" };
      await context.store.insert(tenant, record, request);
      await context.store.delete(tenant, "imported", keyId);
      const used = { outcome: "request_id_used", payloadDigest: "d", record: null };
      expect(await context.store.insert(tenant, record, request)).toEqual(used);
      expect(await context.store.get(tenant, keyId)).toBeNull();
      await context.store.insert(tenant, record, null);
      expect(await context.store.insert(tenant, record, request)).toEqual(used);
    });

    test("of 50 concurrent deletes exactly one returns a revision", async () => {
      const tenant = context.newTenant();
      await context.store.insert(tenant, record, null);
      const revisions = await Promise.all(Array.from({ length: 50 }, () => context.store.delete(tenant, "imported", keyId)));
      expect(revisions.filter((revision) => revision !== null)).toEqual([4]);
    });

    test("leaves a tombstone above a concurrent replacement", async () => {
      for (let round = 0; round < 10; round += 1) {
        const tenant = context.newTenant();
        await context.store.insert(tenant, record, null);
        const [replaced, tombstone] = await Promise.all([
          context.store.replace(tenant, { ...record, revision: 4 }),
          context.store.delete(tenant, "imported", keyId),
        ]);
        expect(tombstone).toBe(replaced ? 5 : 4);
        expect(await context.store.get(tenant, keyId)).toBeNull();
      }
    });
  });
}
