import { describe, expect, test } from "vitest";
import { fullRecord, keyRecord } from "../../support/key-record.ts";
import type { KeyStoreContext } from "../key-store.ts";

const keyId = keyRecord().keyId;
const superseded = { reason: "superseded", description: "" } as const;

export function describeChanges(context: KeyStoreContext): void {
  const tenantWithKey = async (overrides: Parameters<typeof keyRecord>[0] = {}): Promise<string> => {
    const tenant = context.newTenant();
    await context.store.insert(tenant, keyRecord(overrides), null);
    return tenant;
  };

  describe("replace", () => {
    test("writes every field but the last use", async () => {
      const lastUsedTimeMs = fullRecord.createTimeMs;
      const tenant = await tenantWithKey({ lastUsedTimeMs });
      const next = { ...fullRecord, keyId, revision: 2, firstRevision: 1, lastUsedTimeMs: null };
      expect(await context.store.replace(tenant, next)).toBe(true);
      expect(await context.store.get(tenant, keyId)).toEqual({ ...next, lastUsedTimeMs });
      const bare = keyRecord({ revision: 3, lastUsedTimeMs: 999 });
      expect(await context.store.replace(tenant, bare)).toBe(true);
      expect(await context.store.get(tenant, keyId)).toEqual({ ...bare, lastUsedTimeMs });
    });

    test("returns false and changes nothing for any revision but the previous one", async () => {
      const tenant = await tenantWithKey({ revision: 4 });
      for (const revision of [1, 3, 4, 6]) {
        expect(await context.store.replace(tenant, keyRecord({ revision, name: "wrong" })), `revision ${revision}`).toBe(false);
      }
      expect(await context.store.get(tenant, keyId)).toEqual(keyRecord({ revision: 4, firstRevision: 4 }));
    });

    test("returns false and adds nothing for an unknown key or another tenant's key", async () => {
      await tenantWithKey();
      const other = context.newTenant();
      expect(await context.store.replace(other, keyRecord({ revision: 2 }))).toBe(false);
      expect(await context.store.replace(other, keyRecord({ revision: 1 }))).toBe(false);
      expect(await context.store.get(other, keyId)).toBeNull();
    });

    test("lets exactly one of 50 concurrent replacements win", async () => {
      const tenant = await tenantWithKey();
      const names = Array.from({ length: 50 }, (_, index) => `name ${index}`);
      const won = await Promise.all(names.map((name) => context.store.replace(tenant, keyRecord({ revision: 2, name }))));
      expect(won.filter(Boolean)).toHaveLength(1);
      expect(await context.store.get(tenant, keyId)).toEqual(keyRecord({ revision: 2, name: names[won.indexOf(true)] ?? "" }));
    });
  });

  describe("rotate", () => {
    const retired = keyRecord({ revision: 2, revocation: superseded });

    test("replaces one key and adds the other", async () => {
      const tenant = await tenantWithKey({ lastUsedTimeMs: 5 });
      const successor = keyRecord({ keyId: "SUCCESSOR", name: "new" });
      expect(await context.store.rotate(tenant, retired, successor)).toBe(true);
      expect(await context.store.get(tenant, keyId)).toEqual({ ...retired, lastUsedTimeMs: 5 });
      expect(await context.store.get(tenant, "SUCCESSOR")).toEqual(successor);
    });

    test("uses its request id, and changes nothing if that is used", async () => {
      const tenant = await tenantWithKey();
      const request = { requestId: "r", payloadDigest: "d" };
      expect(await context.store.findRequest(tenant, "issued", "r")).toBeNull();
      const successors = ["S1", "S2", "S3"].map((id) => keyRecord({ keyId: id, lineageId: keyId }));
      const won = await Promise.all(successors.map((successor) => context.store.rotate(tenant, retired, successor, undefined, request)));
      expect(won.filter(Boolean)).toHaveLength(1);
      const successor = successors[won.indexOf(true)];
      expect(await context.store.findRequest(tenant, "issued", "r")).toEqual({ payloadDigest: "d", record: successor });
      expect(await context.store.findRequest(tenant, "imported", "r")).toBeNull();
      await context.store.insert(tenant, keyRecord({ keyId: "OTHER" }), null);
      const other = keyRecord({ keyId: "OTHER", revision: 2, revocation: superseded });
      expect(await context.store.rotate(tenant, other, keyRecord({ keyId: "S4" }), undefined, request)).toBe(false);
      expect(await context.store.get(tenant, "S4")).toBeNull();
      expect(await context.store.get(tenant, "OTHER")).toEqual(keyRecord({ keyId: "OTHER" }));
    });

    test("changes nothing if the revision is outdated or the key is unknown", async () => {
      const tenant = await tenantWithKey({ revision: 2 });
      expect(await context.store.rotate(tenant, retired, keyRecord({ keyId: "SUCCESSOR" }))).toBe(false);
      expect(await context.store.rotate(tenant, { ...retired, keyId: "UNKNOWN" }, keyRecord({ keyId: "SUCCESSOR" }))).toBe(false);
      expect(await context.store.list(tenant, { kind: "issued", nowMs: 0, limit: 10 })).toEqual([
        keyRecord({ revision: 2, firstRevision: 2 }),
      ]);
    });

    test("changes nothing if the successor's id is used, even by the key itself", async () => {
      const tenant = await tenantWithKey();
      await context.store.insert(tenant, keyRecord({ keyId: "SUCCESSOR", name: "taken" }), null);
      expect(await context.store.rotate(tenant, retired, keyRecord({ keyId: "SUCCESSOR" }))).toBe(false);
      expect(await context.store.rotate(tenant, retired, keyRecord())).toBe(false);
      expect(await context.store.get(tenant, keyId)).toEqual(keyRecord());
      expect((await context.store.get(tenant, "SUCCESSOR"))?.name).toBe("taken");
    });

    test("lets exactly one of 50 concurrent rotations win, and leaves no trace of the others", async () => {
      const tenant = await tenantWithKey();
      const successors = Array.from({ length: 50 }, (_, index) => keyRecord({ keyId: `S${index}` }));
      const won = await Promise.all(successors.map((successor) => context.store.rotate(tenant, retired, successor)));
      expect(won.filter(Boolean)).toHaveLength(1);
      const all = await context.store.list(tenant, { kind: "issued", nowMs: 0, limit: 100 });
      expect(all).toEqual([retired, successors[won.indexOf(true)]]);
    });

    test("of a rotation and a concurrent replacement of the same revision, exactly one succeeds", async () => {
      for (let round = 0; round < 10; round += 1) {
        const tenant = await tenantWithKey();
        const won = await Promise.all([
          context.store.rotate(tenant, retired, keyRecord({ keyId: "SUCCESSOR" })),
          context.store.replace(tenant, keyRecord({ revision: 2, name: "updated" })),
        ]);
        expect(won.filter(Boolean)).toHaveLength(1);
        expect((await context.store.get(tenant, "SUCCESSOR")) !== null).toBe(won[0]);
        expect((await context.store.get(tenant, keyId))?.name).toBe(won[1] ? "updated" : "");
      }
    });
  });

  describe("touch", () => {
    const lastUse = async (tenant: string, id = keyId) => (await context.store.get(tenant, id))?.lastUsedTimeMs;

    test("keeps the newest use, in any order, also within one call", async () => {
      const tenant = await tenantWithKey();
      await context.store.touch(tenant, [{ keyId, lastUsedTimeMs: 10 }]);
      expect(await lastUse(tenant)).toBe(10);
      await context.store.touch(tenant, [{ keyId, lastUsedTimeMs: 9 }]);
      expect(await lastUse(tenant)).toBe(10);
      await context.store.touch(
        tenant,
        [11, 30, 20].map((lastUsedTimeMs) => ({ keyId, lastUsedTimeMs })),
      );
      expect(await lastUse(tenant)).toBe(30);
    });

    test("changes nothing else, in particular not the revision", async () => {
      const tenant = await tenantWithKey({ revision: 3, name: "same" });
      await context.store.touch(tenant, [{ keyId, lastUsedTimeMs: 10 }]);
      expect(await context.store.get(tenant, keyId)).toEqual(
        keyRecord({ revision: 3, firstRevision: 3, name: "same", lastUsedTimeMs: 10 }),
      );
    });

    test("ignores unknown keys, keys of other tenants and empty lists", async () => {
      const other = await tenantWithKey({ keyId: "OTHER" });
      const tenant = await tenantWithKey();
      const uses = ["OTHER", "UNKNOWN", keyId].map((id) => ({ keyId: id, lastUsedTimeMs: 10 }));
      await context.store.touch(tenant, uses);
      await context.store.touch(tenant, []);
      expect(await lastUse(tenant)).toBe(10);
      expect(await lastUse(other, "OTHER")).toBeNull();
      expect(await context.store.get(tenant, "UNKNOWN")).toBeNull();
    });

    test("skips uses before the key was created, so that lists by last use end", async () => {
      const hourMs = 3_600_000;
      const tenant = context.newTenant();
      for (const id of ["A", "B"]) await context.store.insert(tenant, keyRecord({ keyId: id, createTimeMs: hourMs }), null);
      await context.store.touch(tenant, [
        { keyId: "A", lastUsedTimeMs: hourMs - 1 },
        { keyId: "B", lastUsedTimeMs: hourMs },
      ]);
      expect(await lastUse(tenant, "A")).toBeNull();
      expect(await lastUse(tenant, "B")).toBe(hourMs);
      const query = { kind: "issued", nowMs: 0, lastUsedTime: { fromMs: 0 } } as const;
      const first = await context.listPart(tenant, { ...query, limit: 1 });
      const rest = await context.listPart(tenant, { ...query, limit: 9, afterKeyId: first.lastKeyId ?? "", afterValue: first.lastValue });
      expect([...first.records, ...rest.records].map((record) => record.keyId)).toEqual(["A", "B"]);
    });

    test("loses nothing in a race with replacements", async () => {
      const tenant = await tenantWithKey();
      const replacements = async () => {
        for (let revision = 2; revision <= 21; revision += 1) {
          const current = await context.store.get(tenant, keyId);
          if (current === null) throw new Error("the key is gone");
          expect(await context.store.replace(tenant, { ...current, revision, name: `name ${revision}` })).toBe(true);
        }
      };
      const stamps = Array.from({ length: 50 }, (_, index) => ((index * 7) % 50) + 1);
      await Promise.all([replacements(), ...stamps.map((lastUsedTimeMs) => context.store.touch(tenant, [{ keyId, lastUsedTimeMs }]))]);
      expect(await context.store.get(tenant, keyId)).toEqual(keyRecord({ revision: 21, name: "name 21", lastUsedTimeMs: 50 }));
    });

    test("takes 1000 keys in one call", async () => {
      const tenant = context.newTenant();
      const ids = Array.from({ length: 1000 }, (_, index) => `K${String(index).padStart(4, "0")}`);
      await context.store.insertMany(
        tenant,
        ids.map((id) => ({ record: keyRecord({ keyId: id }), request: null })),
      );
      await context.store.touch(
        tenant,
        ids.map((id, index) => ({ keyId: id, lastUsedTimeMs: index + 1 })),
      );
      const all = await context.store.list(tenant, { kind: "issued", nowMs: 0, limit: 1000 });
      expect(all.map((record) => record.lastUsedTimeMs)).toEqual(ids.map((_, index) => index + 1));
    });
  });
}
