import { beforeAll, describe, expect, test } from "vitest";
import { type KeyRecord, type KeyStatus, statusAt } from "../../../src/core/key.ts";
import type { ListQuery } from "../../../src/ports/key-store.ts";
import { keyRecord } from "../../support/key-record.ts";
import type { KeyStoreContext } from "../key-store.ts";

const nowMs = 1_700_000_000_000;
const everyStatus: Readonly<Record<KeyStatus, true>> = { active: true, expired: true, revoked: true };
const statuses = [undefined, ...(Object.keys(everyStatus) as KeyStatus[])];
const actors: readonly (string | undefined)[] = [undefined, "ann", "bob", "", "nobody"];
const filters = actors.flatMap((actorId) => statuses.map((status) => ({ actorId, status })));

/** Keys of both kinds, of three actors, revoked or not, with every expiry around `nowMs`; shuffled, so that no order is accidental. */
function estate(): KeyRecord[] {
  const records: KeyRecord[] = [];
  for (const kind of ["issued", "imported"] as const) {
    for (const actorId of ["ann", "bob", ""]) {
      for (const revocation of [null, { reason: "superseded", description: "" } as const]) {
        for (const expireTimeMs of [null, nowMs - 1, nowMs, nowMs + 1]) {
          // 7 and 48 have no common divisor, so every number from 0 to 47 occurs once, in a mixed order.
          const number = String((records.length * 7) % 48).padStart(2, "0");
          records.push(keyRecord({ kind, actorId, revocation, expireTimeMs, keyId: number.endsWith("5") ? `a${number}` : `Z${number}` }));
        }
      }
    }
  }
  return records;
}

export function describeLists(context: KeyStoreContext): void {
  describe("list", () => {
    const records = estate();
    let tenant = "";
    beforeAll(async () => {
      tenant = context.newTenant();
      await Promise.all(records.map((record) => context.store.insert(tenant, record, null)));
      // Must not occur in the lists of `tenant`.
      await context.store.insert(context.newTenant(), keyRecord({ keyId: "Z00x", actorId: "ann" }), null);
    });

    const expected = ({ kind, actorId, status, nowMs }: Omit<ListQuery, "limit">) =>
      records
        .filter((record) => record.kind === kind)
        .filter((record) => actorId === undefined || record.actorId === actorId)
        .filter((record) => status === undefined || statusAt(record, nowMs) === status)
        .sort((a, b) => (a.keyId < b.keyId ? -1 : 1));

    test.each(filters)(
      "actor $actorId, status $status: the same keys as core selects, in ascending order of key ids",
      async ({ actorId, status }) => {
        for (const kind of ["issued", "imported"] as const) {
          const query = { kind, actorId, status, nowMs };
          expect(await context.store.list(tenant, { ...query, limit: 100 })).toEqual(expected(query));
        }
      },
    );

    test.each(filters)("actor $actorId, status $status: pages of three add up to the list, without gaps or repetitions", async (filter) => {
      const query = { kind: "issued", ...filter, nowMs } as const;
      const joined: KeyRecord[] = [];
      for (let page: KeyRecord[] | undefined; page === undefined || page.length > 0; ) {
        page = await context.store.list(tenant, { ...query, afterKeyId: joined.at(-1)?.keyId, limit: 3 });
        expect(page.length).toBeLessThanOrEqual(3);
        joined.push(...page);
      }
      expect(joined).toEqual(expected(query));
    });

    test("judges the status at the requested time", async () => {
      for (const moment of [nowMs - 2, nowMs - 1, nowMs, nowMs + 1, nowMs + 2]) {
        for (const status of ["active", "expired"] as const) {
          const query = { kind: "issued", status, nowMs: moment } as const;
          expect(await context.store.list(tenant, { ...query, limit: 100 })).toEqual(expected(query));
        }
      }
    });

    test("starts after any key id, even an unknown one", async () => {
      const query = { kind: "issued", nowMs } as const;
      for (const afterKeyId of ["", "Z", "Z20", "Z20x", "Zz", "a", "a35", "zz"]) {
        const rest = expected(query).filter((record) => record.keyId > afterKeyId);
        expect(await context.store.list(tenant, { ...query, afterKeyId, limit: 100 }), afterKeyId).toEqual(rest);
      }
    });

    test("shows an insert, a revocation and a deletion at once", async () => {
      const own = context.newTenant();
      const list = async (status: KeyStatus) =>
        (await context.store.list(own, { kind: "imported", status, nowMs, limit: 10 })).map((record) => record.keyId);
      const record = keyRecord({ keyId: "A", kind: "imported" });
      await context.store.insert(own, record, null);
      expect([await list("active"), await list("revoked")]).toEqual([["A"], []]);
      await context.store.replace(own, { ...record, revision: 2, revocation: { reason: "key_compromise", description: "" } });
      expect([await list("active"), await list("revoked")]).toEqual([[], ["A"]]);
      await context.store.delete(own, "imported", "A");
      expect([await list("active"), await list("revoked")]).toEqual([[], []]);
    });
  });
}
