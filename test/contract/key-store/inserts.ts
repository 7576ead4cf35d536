import { describe, expect, test } from "vitest";
import type { InsertOutcome } from "../../../src/ports/key-store.ts";
import { keyRecord } from "../../support/key-record.ts";
import type { KeyStoreContext } from "../key-store.ts";

const count = (outcomes: readonly InsertOutcome[], outcome: InsertOutcome["outcome"]) =>
  outcomes.filter((one) => one.outcome === outcome).length;

export function describeInserts(context: KeyStoreContext): void {
  describe("insert", () => {
    test("adds a key that can be read at once", async () => {
      const tenant = context.newTenant();
      const record = keyRecord();
      expect(await context.store.insert(tenant, record, null)).toEqual({ outcome: "inserted", record });
      expect(await context.store.get(tenant, record.keyId)).toEqual(record);
    });

    test("refuses an id that a key of either kind uses, and leaves that key unchanged", async () => {
      const tenant = context.newTenant();
      const record = keyRecord({ name: "first" });
      await context.store.insert(tenant, record, null);
      expect(await context.store.insert(tenant, keyRecord({ name: "second" }), null)).toEqual({ outcome: "key_id_used" });
      expect(await context.store.insert(tenant, keyRecord({ kind: "imported" }), null)).toEqual({ outcome: "key_id_used" });
      expect(await context.store.get(tenant, record.keyId)).toEqual(record);
    });

    test("lets exactly one of 50 concurrent inserts of one id win", async () => {
      const tenant = context.newTenant();
      const names = Array.from({ length: 50 }, (_, index) => `name ${index}`);
      const outcomes = await Promise.all(names.map((name) => context.store.insert(tenant, keyRecord({ name }), null)));
      expect(count(outcomes, "inserted")).toBe(1);
      expect(count(outcomes, "key_id_used")).toBe(49);
      const winner = names[outcomes.findIndex(({ outcome }) => outcome === "inserted")];
      expect((await context.store.get(tenant, keyRecord().keyId))?.name).toBe(winner);
    });

    test("keeps tenants apart: the same key id and request id are free in another tenant", async () => {
      const [one, other] = [context.newTenant(), context.newTenant()];
      const request = { requestId: "request", payloadDigest: "digest" };
      await context.store.insert(one, keyRecord({ name: "one" }), request);
      expect(await context.store.get(other, keyRecord().keyId)).toBeNull();
      expect((await context.store.insert(other, keyRecord({ name: "other" }), request)).outcome).toBe("inserted");
      expect((await context.store.get(one, keyRecord().keyId))?.name).toBe("one");
      expect((await context.store.get(other, keyRecord().keyId))?.name).toBe("other");
    });
  });

  describe("insert with a request id", () => {
    const request = { requestId: "6f7a4a0e-3f2e-4d8c-9c49-0f6b6e1c2d3a", payloadDigest: "payload" };

    test("returns the first payload's digest and the current key, for a replay and for a reuse", async () => {
      const tenant = context.newTenant();
      await context.store.insert(tenant, keyRecord({ keyId: "A" }), request);
      const changed = keyRecord({ keyId: "A", revision: 2, name: "changed" });
      await context.store.replace(tenant, changed);
      const used = { outcome: "request_id_used", payloadDigest: "payload", record: changed };
      expect(await context.store.insert(tenant, keyRecord({ keyId: "B" }), request)).toEqual(used);
      const reuse = { ...request, payloadDigest: "another payload" };
      expect(await context.store.insert(tenant, keyRecord({ keyId: "B" }), reuse)).toEqual(used);
      expect(await context.store.get(tenant, "B")).toBeNull();
    });

    test("reports a used request id before a used key id", async () => {
      const tenant = context.newTenant();
      await context.store.insert(tenant, keyRecord({ keyId: "A" }), request);
      expect((await context.store.insert(tenant, keyRecord({ keyId: "A" }), request)).outcome).toBe("request_id_used");
    });

    test("does not use up the request id if the key id is used", async () => {
      const tenant = context.newTenant();
      await context.store.insert(tenant, keyRecord({ keyId: "A" }), null);
      expect((await context.store.insert(tenant, keyRecord({ keyId: "A" }), request)).outcome).toBe("key_id_used");
      expect((await context.store.insert(tenant, keyRecord({ keyId: "B" }), request)).outcome).toBe("inserted");
    });

    test("counts request ids of issued and imported keys apart", async () => {
      const tenant = context.newTenant();
      await context.store.insert(tenant, keyRecord({ keyId: "A" }), request);
      expect((await context.store.insert(tenant, keyRecord({ keyId: "B", kind: "imported" }), request)).outcome).toBe("inserted");
    });

    test("accepts any characters in a request id and distinguishes case and every character", async () => {
      const tenant = context.newTenant();
      const requestIds = ["a", "A", "a ", "ä", "$a", "a.b", "x".repeat(36), `${"x".repeat(35)}y`];
      for (const [index, requestId] of requestIds.entries()) {
        const outcome = await context.store.insert(tenant, keyRecord({ keyId: `K${index}` }), { requestId, payloadDigest: "" });
        expect(outcome.outcome, requestId).toBe("inserted");
      }
    });

    test("lets exactly one of 50 concurrent inserts win; the others get its key", async () => {
      const tenant = context.newTenant();
      const records = Array.from({ length: 50 }, (_, index) => keyRecord({ keyId: `K${String(index).padStart(2, "0")}` }));
      const outcomes = await Promise.all(records.map((record) => context.store.insert(tenant, record, request)));
      expect(count(outcomes, "inserted")).toBe(1);
      const winner = records[outcomes.findIndex(({ outcome }) => outcome === "inserted")];
      for (const outcome of outcomes.filter((one) => one.outcome !== "inserted")) {
        expect(outcome).toEqual({ outcome: "request_id_used", payloadDigest: "payload", record: winner });
      }
      expect(await context.store.list(tenant, { kind: "issued", nowMs: 0, limit: 100 })).toEqual([winner]);
    });
  });

  describe("insertMany", () => {
    test("treats each item as insert would, in order", async () => {
      const tenant = context.newTenant();
      const request = { requestId: "r", payloadDigest: "d" };
      const a = keyRecord({ keyId: "A", kind: "imported" });
      const b = keyRecord({ keyId: "B", kind: "imported" });
      const c = keyRecord({ keyId: "C", kind: "imported" });
      const items = [
        { record: a, request },
        { record: b, request },
        { record: a, request: null },
        { record: c, request: null },
      ];
      expect(await context.store.insertMany(tenant, items)).toEqual([
        { outcome: "inserted", record: a },
        { outcome: "request_id_used", payloadDigest: "d", record: a },
        { outcome: "key_id_used" },
        { outcome: "inserted", record: c },
      ]);
      expect(await context.store.list(tenant, { kind: "imported", nowMs: 0, limit: 10 })).toEqual([a, c]);
      expect(await context.store.insertMany(tenant, [])).toEqual([]);
    });

    test("distinguishes free ids, used ids and ids of deleted keys, with and without request ids", async () => {
      for (const isMarked of [false, true]) {
        const tenant = context.newTenant();
        const item = (keyId: string) => ({
          record: keyRecord({ keyId, kind: "imported" }),
          request: isMarked ? { requestId: `r-${keyId}`, payloadDigest: keyId } : null,
        });
        const records = ["taken", "deleted", "deleted too"].map((keyId) =>
          keyRecord({ keyId, kind: "imported", revision: 3, firstRevision: 3 }),
        );
        for (const record of records) await context.store.insert(tenant, record, null);
        for (const { keyId } of records.slice(1)) await context.store.delete(tenant, "imported", keyId);

        const keyIds = ["free", "taken", "deleted", "free too", "deleted too"];
        const outcomes = await context.store.insertMany(tenant, keyIds.map(item));
        expect(outcomes.map(({ outcome }) => outcome)).toEqual(["inserted", "key_id_used", "inserted", "inserted", "inserted"]);
        const revisions = outcomes.map((outcome) => (outcome.outcome === "inserted" ? outcome.record.revision : 0));
        expect([revisions[0], revisions[3]]).toEqual([1, 1]);
        expect(Math.min(revisions[2] ?? 0, revisions[4] ?? 0)).toBeGreaterThan(4);
        for (const [index, outcome] of outcomes.entries()) {
          const stored = await context.store.get(tenant, keyIds[index] ?? "");
          expect(stored).toEqual(outcome.outcome === "inserted" ? outcome.record : records[0]);
        }
      }
    });

    test("adds the first of several items with one id, also after a deleted key", async () => {
      for (const wasThere of [false, true]) {
        const tenant = context.newTenant();
        const items = ["first", "second"].map((name) => ({ record: keyRecord({ name }), request: null }));
        if (wasThere) {
          await context.store.insert(tenant, keyRecord(), null);
          await context.store.delete(tenant, "issued", keyRecord().keyId);
        }
        const outcomes = await context.store.insertMany(tenant, items);
        expect(outcomes.map(({ outcome }) => outcome)).toEqual(["inserted", "key_id_used"]);
        expect((await context.store.get(tenant, keyRecord().keyId))?.name).toBe("first");
      }
    });

    test("treats one item that is given twice as two", async () => {
      const tenant = context.newTenant();
      const item = { record: keyRecord(), request: { requestId: "r", payloadDigest: "d" } };
      const outcomes = await context.store.insertMany(tenant, [item, item]);
      expect(outcomes.map(({ outcome }) => outcome)).toEqual(["inserted", "request_id_used"]);
    });

    test("returns the keys of a replayed batch, and adds new items", async () => {
      const tenant = context.newTenant();
      const item = (keyId: string) => ({ record: keyRecord({ keyId }), request: { requestId: keyId, payloadDigest: `digest ${keyId}` } });
      const first = ["A", "B", "C"].map(item);
      expect(count(await context.store.insertMany(tenant, first), "inserted")).toBe(3);
      await context.store.delete(tenant, "issued", "B");
      const replay = await context.store.insertMany(tenant, [item("A"), item("B"), item("D"), item("C")]);
      expect(replay).toEqual([
        { outcome: "request_id_used", payloadDigest: "digest A", record: keyRecord({ keyId: "A" }) },
        { outcome: "request_id_used", payloadDigest: "digest B", record: null },
        { outcome: "inserted", record: keyRecord({ keyId: "D" }) },
        { outcome: "request_id_used", payloadDigest: "digest C", record: keyRecord({ keyId: "C" }) },
      ]);
    });

    test("adds each key once in concurrent batches with the same request ids", async () => {
      const tenant = context.newTenant();
      const batch = Array.from({ length: 200 }, (_, index) => ({
        record: keyRecord({ keyId: `K${String(index).padStart(4, "0")}`, kind: "imported" }),
        request: { requestId: `r${index}`, payloadDigest: "d" },
      }));
      const outcomes = (await Promise.all([1, 2, 3].map(() => context.store.insertMany(tenant, batch)))).flat();
      expect(count(outcomes, "inserted")).toBe(200);
      expect(count(outcomes, "request_id_used")).toBe(400);
      expect(await context.store.list(tenant, { kind: "imported", nowMs: 0, limit: 1000 })).toEqual(batch.map(({ record }) => record));
    });

    test("recognises the keys of a batch by its mark, even in concurrent repeats", async () => {
      const tenant = context.newTenant();
      const item = (keyId: string, batchMark: string | null) => ({
        record: keyRecord({ keyId, kind: "imported" }),
        request: null,
        batchMark,
      });
      const batch = Array.from({ length: 100 }, (_, index) => item(`K${index}`, `batch ${index}`));
      const outcomes = (await Promise.all([1, 2, 3].map(() => context.store.insertMany(tenant, batch)))).flat();
      expect(count(outcomes, "inserted")).toBe(100);
      expect(count(outcomes, "batch_repeated")).toBe(200);

      const changed = keyRecord({ keyId: "K0", kind: "imported", revision: 2, name: "changed" });
      await context.store.replace(tenant, changed);
      await context.store.delete(tenant, "imported", "K1", undefined, { forgetBatch: true });
      await context.store.insert(tenant, keyRecord({ keyId: "other", kind: "imported" }), null);
      const later = ["K0", "K1", "other", "K2"].map((keyId) => item(keyId, `batch ${keyId.slice(1)}`));
      expect(await context.store.insertMany(tenant, [...later, item("K3", "another"), item("K4", null)])).toEqual([
        { outcome: "batch_repeated", record: changed },
        { outcome: "inserted", record: expect.objectContaining({ keyId: "K1" }) },
        { outcome: "key_id_used" },
        { outcome: "batch_repeated", record: batch[2]?.record },
        { outcome: "key_id_used" },
        { outcome: "key_id_used" },
      ]);
    });

    test("a repeated batch adds no key again that was deleted since; other batches and inserts do", async () => {
      const tenant = context.newTenant();
      const item = (keyId: string, batchMark = `batch ${keyId}`) => ({
        record: keyRecord({ keyId, kind: "imported" }),
        request: null,
        batchMark,
      });
      const keyIds = ["A", "B", "C", "D"];
      await context.store.insertMany(
        tenant,
        keyIds.map((keyId) => item(keyId)),
      );
      for (const keyId of keyIds) await context.store.delete(tenant, "imported", keyId);
      const deleted = { outcome: "batch_repeated", record: null };
      const added = (keyId: string) => ({ outcome: "inserted", record: expect.objectContaining({ keyId }) });
      const repeat = () => context.store.insertMany(tenant, [item("A"), item("new"), item("B"), item("C", "other"), item("A")]);
      const { audit } = context.store;
      const eventCount = async () => (await audit.list(tenant, { limit: 100 })).length;
      const before = await eventCount();
      expect(await repeat()).toEqual([deleted, added("new"), deleted, added("C"), deleted]);
      expect(await eventCount()).toBe(before + 1);
      expect(await context.store.insertMany(tenant, [item("A"), item("B")])).toEqual([deleted, deleted]);
      expect(await eventCount()).toBe(before + 1);
      expect(await context.store.insert(tenant, item("D").record, null)).toEqual(added("D"));
      expect(await context.store.insertMany(tenant, [item("D")])).toEqual([{ outcome: "key_id_used" }]);
      expect((await context.store.getMany(tenant, keyIds)).map((record) => record?.keyId)).toEqual([undefined, undefined, "C", "D"]);
    });

    test("adds 1000 keys, each once if two calls add the same ones", async () => {
      const tenant = context.newTenant();
      const items = Array.from({ length: 1000 }, (_, index) => ({
        record: keyRecord({ keyId: `K${String(index).padStart(4, "0")}`, kind: "imported" }),
        request: null,
      }));
      const [one, other] = await Promise.all([context.store.insertMany(tenant, items), context.store.insertMany(tenant, items)]);
      expect(count([...one, ...other], "inserted")).toBe(1000);
      expect(one.map(({ outcome }, index) => outcome !== other[index]?.outcome)).not.toContain(false);
      expect(await context.store.list(tenant, { kind: "imported", nowMs: 0, limit: 2000 })).toEqual(items.map(({ record }) => record));
    });
  });
}
