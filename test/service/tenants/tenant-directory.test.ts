import { expect, test } from "vitest";
import { soleProcessTrust } from "../../../src/cache/sole-process.ts";
import type { KeyRecord } from "../../../src/core/key.ts";
import { changedTenant, newTenantRecord, type Tenant, unchangedTenant } from "../../../src/core/tenant.ts";
import type { ListPart } from "../../../src/ports/key-store.ts";
import { createTenantDirectory, type TenantDirectoryOptions } from "../../../src/service/tenants/tenant-directory.ts";
import { createTenantSettings } from "../../../src/service/tenants/tenant-settings.ts";

function recordOf(tenantId: string, changes: Partial<Tenant> = {}, createTimeMs = 1000): KeyRecord {
  return newTenantRecord({ ...unchangedTenant(tenantId), ...changes }, createTimeMs);
}

/** A directory whose store answers each list when the test says so, and whose cache knows no tenant. */
function open(trust: TenantDirectoryOptions["cache"]["trust"] = soleProcessTrust, monotonicMs = () => 0) {
  const lists: ((records: readonly KeyRecord[]) => void)[] = [];
  let doubted = () => {};
  const cache: TenantDirectoryOptions["cache"] = {
    peek: () => undefined,
    reader: { read: async () => ({ record: null, outcome: "miss" }), readMany: async () => [] },
    follow: (follower) => {
      doubted = () => follower.doubted();
    },
    trust,
  };
  const list = () => new Promise<ListPart>((resolve) => lists.push((records) => resolve({ records, lastKeyId: null })));
  const directory = createTenantDirectory({ store: { list }, cache, settings: createTenantSettings(), monotonicMs });
  return { directory, lists, doubt: () => doubted() };
}

test("a tenant that is noted while all tenants are read is known afterwards, although the list is older", async () => {
  const { directory, lists } = open();
  const refreshed = directory.refresh();
  await expect.poll(() => lists.length).toBe(1);
  directory.note("acme", recordOf("acme", { hosts: ["keys.acme.example"] }));
  directory.note("gone", null);
  lists[0]?.([recordOf("gone", { hosts: ["keys.gone.example"] })]);
  await refreshed;
  expect(directory.tenantOfHost("keys.acme.example")).toBe("acme");
  expect(directory.tenantOfHost("keys.gone.example")).toBeUndefined();
});

test("all tenants are read again once the cache may have missed changes", async () => {
  const { directory, lists, doubt } = open();
  const refreshed = directory.refresh();
  await expect.poll(() => lists.length).toBe(1);
  lists[0]?.([]);
  await refreshed;
  doubt();
  await expect.poll(() => lists.length).toBe(2);
  lists[1]?.([recordOf("acme", { hosts: ["keys.acme.example"] })]);
  await expect.poll(() => directory.tenantOfHost("keys.acme.example")).toBe("acme");
});

test("a process that hears of no changes reads all tenants each second, or after ten times the duration of the last read", async () => {
  let nowMs = 0;
  const deaf = { ...soleProcessTrust, mode: () => "leased" as const, localUse: () => "never" as const };
  const { directory, lists } = open(deaf, () => nowMs);
  /** Starts reads in each call of ten seconds that may, each of which takes this long. Returns their number. */
  const readsInTenSeconds = async (durationMs: number) => {
    const before = lists.length;
    for (let calls = 0; calls < 40; calls += 1) {
      nowMs += 250;
      const count = lists.length;
      const caughtUp = directory.catchUp();
      await Promise.resolve();
      if (lists.length > count) {
        nowMs += durationMs;
        lists.at(-1)?.([]);
      }
      await caughtUp;
    }
    return lists.length - before;
  };
  expect(await readsInTenSeconds(10)).toBe(10);
  expect(await readsInTenSeconds(400)).toBe(3);
});

test("a tenant that was deleted and created again has its new settings, although its revision is lower", () => {
  const settings = createTenantSettings();
  settings.note("acme", { ...recordOf("acme", { displayName: "old" }), revision: 9 });
  settings.note("acme", { ...recordOf("acme", { displayName: "new" }, 2000), revision: 1 });
  expect(settings.of("acme").displayName).toBe("new");
});

test("changes that this process did not see, and that left the quota in place, do not make it count the keys again", () => {
  const settings = createTenantSettings();
  let tenant = unchangedTenant("acme");
  const sinceAfter = (revision: number, ...changes: Partial<Tenant>[]) => {
    for (const change of changes) tenant = changedTenant(tenant, change);
    settings.note("acme", { ...newTenantRecord(tenant, 1000), revision });
    return settings.quotaSince("acme");
  };
  const since = sinceAfter(1, { maxKeys: 1 });
  expect(since).toBeGreaterThan(0);
  expect(sinceAfter(4, { displayName: "a" }, { maxKeys: 2 }, { displayName: "b" })).toBe(since);
  const again = sinceAfter(6, { maxKeys: null }, { maxKeys: 2 });
  expect(again).toBeGreaterThan(since);
  // Another tenant of the same name.
  settings.note("acme", { ...newTenantRecord(tenant, 2000), revision: 9, firstRevision: 8 });
  expect(settings.quotaSince("acme")).toBeGreaterThan(again);
});
