import { beforeAll, describe, expect, test } from "vitest";
import type { KeyRecord } from "../../../src/core/key.ts";
import { type KeySelection, matchesFilter } from "../../../src/core/key-filter.ts";
import { keyRecord } from "../../support/key-record.ts";
import type { KeyStoreContext } from "../key-store.ts";

const nowMs = 1_700_000_000_000;
const hourMs = 3_600_000;

/**
 * Keys that share names, times, scopes and metadata, so that every index holds equal values. There are more than a store reads in one step.
 */
function estate(): KeyRecord[] {
  const names = ["billing", "billing-eu", "billing-us", "Billing", "bill", "\u{10ffff}x", "a\0b", ""];
  const teams = ["blue", "red", "b=lue", "x".repeat(256), "x".repeat(257), "", "a\0b"];
  return Array.from({ length: 260 }, (_, index) =>
    keyRecord({
      keyId: `K${String((index * 7) % 260).padStart(3, "0")}`,
      kind: index % 10 === 0 ? "imported" : "issued",
      actorId: index % 3 === 0 ? "ann" : "bob",
      name: names[index % 8] as string,
      scopes: index % 4 === 0 ? ["read", "read", "s".repeat(256)] : index % 4 === 1 ? ["write:*", "a\0b"] : [],
      metadata:
        index % 6 === 0
          ? null
          : {
              team: teams[index % 7] as string,
              "a.b": "dotted",
              kind: index % 2 === 0 ? "even" : "odd",
              nested: { team: "blue" },
              size: 7,
            },
      createTimeMs: nowMs - (index % 5) * hourMs,
      expireTimeMs: index % 3 === 0 ? null : nowMs + ((index % 9) - 4) * 1000,
      lastUsedTimeMs: index % 2 === 0 ? null : nowMs - Math.min(index % 11, 2 * (index % 5)) * (hourMs / 2),
      revocation: index % 5 === 0 ? { reason: "superseded", description: "" } : null,
      disabled: index % 7 === 1 && index % 5 !== 0,
    }),
  );
}

const selections: readonly KeySelection[] = [
  { name: { text: "billing", isPrefix: true } },
  { name: { text: "billing", isPrefix: false } },
  { name: { text: "\u{10ffff}", isPrefix: true } },
  { name: { text: "bill", isPrefix: true }, status: "active", scopes: ["read"] },
  { scopes: ["read"] },
  { scopes: ["s".repeat(256)], status: "revoked" },
  { scopes: ["write:*"], metadata: [["team", "blue"]] },
  { metadata: [["team", "blue"]] },
  { metadata: [["team", "b=lue"]], actorId: "ann" },
  { metadata: [["team", "x".repeat(256)]] },
  { scopes: ["read"], actorId: "ann" },
  { scopes: ["read"], actorId: "bob", status: "expired" },
  { scopes: ["write:*"], actorId: "ann", status: "revoked", name: { text: "bill", isPrefix: true } },
  { scopes: ["read"], metadata: [["team", "red"]], actorId: "ann", status: "active" },
  { scopes: ["read", "s".repeat(256)] },
  { scopes: ["read", "write:*"] },
  {
    metadata: [
      ["team", "blue"],
      ["kind", "odd"],
    ],
  },
  {
    metadata: [
      ["team", "red"],
      ["kind", "even"],
    ],
    scopes: ["read", "s".repeat(256)],
    status: "active",
  },
  { scopes: ["s".repeat(256), "read"], actorId: "bob" },
  {
    metadata: [
      ["kind", "even"],
      ["team", "blue"],
    ],
    actorId: "ann",
  },
  { createTime: { fromMs: nowMs - 2 * hourMs, untilMs: nowMs } },
  { createTime: { untilMs: nowMs - hourMs + 1 }, status: "active" },
  { expireTime: { untilMs: nowMs + 3000 }, status: "active" },
  { expireTime: { fromMs: nowMs - 3000 } },
  { expireTime: { fromMs: nowMs - 3000 }, status: "expired" },
  { lastUsedTime: { untilMs: nowMs - hourMs } },
  { lastUsedTime: { fromMs: nowMs - 3 * hourMs, untilMs: nowMs - hourMs / 2 }, status: "active" },
  { lastUsedTime: { untilMs: nowMs - hourMs }, createTime: { fromMs: nowMs - 2 * hourMs }, status: "revoked" },
  { disabled: true },
  { disabled: true, scopes: ["read"], status: "revoked" },
  { disabled: true, actorId: "ann" },
  { disabled: true, status: "active" },
  { actorId: "ann", expireTime: { untilMs: nowMs } },
];

const orders = (["createTime", "expireTime"] as const).flatMap((by) => [false, true].map((isDescending) => ({ by, isDescending })));
const ordered: KeySelection[] = orders.flatMap((order) => [
  { order },
  { order, status: "active" },
  { order, status: "revoked", [order.by]: { fromMs: nowMs - 2000 } },
]);

export function describeFilters(context: KeyStoreContext): void {
  describe("list by other filters and in other orders", () => {
    const records = estate();
    let tenant = "";
    beforeAll(async () => {
      tenant = context.newTenant();
      const items = records.map((record) => ({ record, request: null }));
      await context.store.insertMany(tenant, items);
      await context.store.insertMany(context.newTenant(), items);
    });

    const expected = (selection: KeySelection, kind: string) =>
      records.filter((record) => record.kind === kind && matchesFilter(record, selection, nowMs)).map(({ keyId }) => keyId);

    test.each(selections)("%j: every matching key once, in one list and in pages", async (selection) => {
      for (const kind of ["issued", "imported"] as const) {
        const wanted = expected(selection, kind).sort();
        for (const limit of [1000, 3]) {
          const found: string[] = [];
          let position: { afterKeyId: string; afterValue?: number | string | undefined } | null = { afterKeyId: "" };
          while (position !== null) {
            const part = await context.listPart(tenant, { kind, ...selection, nowMs, ...position, limit });
            expect(part.records.length).toBeLessThanOrEqual(limit);
            found.push(...part.records.map(({ keyId }) => keyId));
            position = part.lastKeyId === null ? null : { afterKeyId: part.lastKeyId, afterValue: part.lastValue };
          }
          expect(found.sort()).toEqual(wanted);
        }
      }
    });

    test.each(ordered)("%j: in this order, with keys that never expire last", async (selection) => {
      const { by, isDescending } = selection.order as NonNullable<KeySelection["order"]>;
      const timeOf = (record: KeyRecord) => (by === "createTime" ? record.createTimeMs : (record.expireTimeMs ?? Number.MAX_VALUE));
      const sorted = records
        .filter((record) => record.kind === "issued" && matchesFilter(record, selection, nowMs))
        .sort((a, b) => timeOf(a) - timeOf(b) || (a.keyId < b.keyId ? -1 : 1))
        .map(({ keyId }) => keyId);
      const query = { kind: "issued", ...selection, nowMs, limit: 1000 } as const;
      const found = (await context.store.list(tenant, query)).map(({ keyId }) => keyId);
      expect(found).toEqual(isDescending ? sorted.toReversed() : sorted);
    });

    test("follows changes of name, scopes and metadata, uses and deletions", async () => {
      const own = context.newTenant();
      const record = keyRecord({ keyId: "A", kind: "imported", name: "old", scopes: ["old"], metadata: { team: "old" }, createTimeMs: 1 });
      await context.store.insert(own, record, null);
      const find = async (selection: KeySelection) => context.store.list(own, { kind: "imported", ...selection, nowMs, limit: 10 });
      const each = (text: string): KeySelection[] => [
        { name: { text, isPrefix: false } },
        { scopes: [text] },
        { metadata: [["team", text]] },
      ];
      await context.store.replace(own, { ...record, revision: 2, name: "new", scopes: ["new"], metadata: { team: "new" } });
      for (const selection of each("new")) expect(await find(selection)).toHaveLength(1);
      for (const selection of each("old")) expect(await find(selection)).toEqual([]);
      expect(await find({ lastUsedTime: { untilMs: nowMs } })).toHaveLength(1);
      await context.store.touch(own, [{ keyId: "A", lastUsedTimeMs: nowMs }]);
      expect(await find({ lastUsedTime: { untilMs: nowMs } })).toEqual([]);
      expect(await find({ lastUsedTime: { untilMs: nowMs + 1 } })).toHaveLength(1);
      await context.store.delete(own, "imported", "A");
      for (const selection of each("new")) expect(await find(selection)).toEqual([]);
    });
  });
}
