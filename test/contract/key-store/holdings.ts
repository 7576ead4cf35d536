import { describe, expect, test } from "vitest";
import type { KeyRecord } from "../../../src/core/key.ts";
import { newTenantRecord, type Tenant, tenantFields, tenantOfRecord, unchangedTenant } from "../../../src/core/tenant.ts";
import type { KeyStoreContext } from "../key-store.ts";

const named = () => `t${crypto.randomUUID()}`;
const recordOf = (tenant: Partial<Tenant>): KeyRecord => newTenantRecord({ ...unchangedTenant(named()), ...tenant }, 1000);
const next = (record: KeyRecord, tenant: Partial<Tenant>): KeyRecord => {
  return { ...record, ...tenantFields({ ...tenantOfRecord(record), ...tenant }), revision: record.revision + 1 };
};

export function describeHoldings(context: KeyStoreContext): void {
  describe("holdings of tenants", () => {
    test("of 20 concurrent inserts with one host or prefix one succeeds, also in a batch, and its holdings are free after it is deleted", async () => {
      for (const holding of [{ hosts: [named()] }, { keyPrefix: "acme" }]) {
        const tenant = context.newTenant();
        const records = Array.from({ length: 20 }, () => recordOf(holding));
        const [first, second, ...single] = records as [KeyRecord, KeyRecord, ...KeyRecord[]];
        const batch = context.store.insertMany(
          tenant,
          [first, second].map((record) => ({ record, request: null })),
        );
        const inserts = single.map((record) => context.store.insert(tenant, record, null));
        const outcomes = [...(await batch), ...(await Promise.all(inserts))].map(({ outcome }) => outcome);
        expect(outcomes.toSorted()).toEqual(["inserted", ...new Array(19).fill("key_id_used")]);
        const winner = records[outcomes.indexOf("inserted")] as KeyRecord;
        await context.store.delete(tenant, "tenant", winner.keyId);
        expect(await context.store.insert(tenant, recordOf(holding), null)).toMatchObject({ outcome: "inserted" });
      }
    });

    test("of 20 concurrent replacements that take one host one succeeds, and its former host is free", async () => {
      const tenant = context.newTenant();
      const host = named();
      const records = Array.from({ length: 20 }, () => recordOf({ hosts: [named()] }));
      for (const record of records) await context.store.insert(tenant, record, null);
      const replaced = await Promise.all(records.map((record) => context.store.replace(tenant, next(record, { hosts: [host] }))));
      expect(replaced.filter(Boolean)).toHaveLength(1);
      const winner = records[replaced.indexOf(true)] as KeyRecord;
      const { hosts } = tenantOfRecord(winner);
      expect(await context.store.insert(tenant, recordOf({ hosts }), null)).toMatchObject({ outcome: "inserted" });
      expect(await context.store.replace(tenant, { ...next(winner, { hosts: [host] }), revision: winner.revision + 2 })).toBe(true);
    });

    test("prefixes that were replaced stay held, and so do prefixes of public keys", async () => {
      const tenant = context.newTenant();
      await context.store.insert(tenant, recordOf({ keyPrefix: "new", retiredPrefixes: ["old"] }), null);
      for (const keyPrefix of ["new", "old", "new_pub", "old_pub"]) {
        expect(await context.store.insert(tenant, recordOf({ keyPrefix }), null), keyPrefix).toEqual({ outcome: "key_id_used" });
      }
    });

    test("a deletion of one revision does not delete any other", async () => {
      const tenant = context.newTenant();
      const record = recordOf({});
      await context.store.insert(tenant, record, null);
      await context.store.replace(tenant, next(record, { displayName: "newer" }));
      expect(await context.store.delete(tenant, "tenant", record.keyId, undefined, { revision: 1 })).toBeNull();
      expect(await context.store.get(tenant, record.keyId)).toMatchObject({ name: "newer" });
      expect(await context.store.delete(tenant, "tenant", record.keyId, undefined, { revision: 2 })).toBe(3);
    });
  });
}
