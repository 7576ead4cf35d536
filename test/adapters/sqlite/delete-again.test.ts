import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { createMemoryRecordCache } from "../../../src/adapters/memory/record-cache.ts";
import { openSqliteKeyStore } from "../../../src/adapters/sqlite/key-store.ts";
import { createCacheTrust } from "../../../src/cache/trust.ts";
import { createVerifierCache } from "../../../src/cache/verifier-cache.ts";
import { newActorLimitRecord } from "../../../src/core/actor-limit.ts";
import type { KeyRecord } from "../../../src/core/key.ts";
import { newTenantRecord, unchangedTenant } from "../../../src/core/tenant.ts";
import type { CacheGeneration } from "../../../src/ports/cache-generation.ts";
import { auditEvent } from "../../../src/service/audit.ts";
import { removeActorLimit } from "../../../src/service/change-actor-limit.ts";
import { deleteImportedKey } from "../../../src/service/delete.ts";
import type { KeyService } from "../../../src/service/key-service.ts";
import { deleteTenant } from "../../../src/service/tenants/delete-tenant.ts";
import type { TenantDirectory } from "../../../src/service/tenants/tenant-directory.ts";
import { keyRecord } from "../../support/key-record.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const nowMs = 1_800_000_000_000;
const clock = () => nowMs;
const origin = { method: "", caller: "", clientAddress: "", requestId: "" };
const folder = temporaryFolder();
const store = await openSqliteKeyStore({ path: join(folder.path, "keys.db"), clock });
afterAll(async () => {
  await store.close();
  folder[Symbol.dispose]();
});

let generation: CacheGeneration = { number: 0, cacheId: "" };
const generations = {
  read: async () => generation,
  async advance(from: number, cacheId: string) {
    if (generation.number === from) generation = { number: from + 1, cacheId };
    return generation;
  },
};

/** The caches of a process over the store, without a cache that processes share. */
function startProcess() {
  const local = createMemoryRecordCache({ maxEntries: 10 });
  const trust = createCacheTrust({
    generations,
    shared: null,
    monotonicMs: clock,
    leaseMs: 1000,
    graceMs: 0,
    identityPatienceMs: 500,
    generationPaceMs: 250,
    schedule() {
      throw new Error("nothing here pauses");
    },
    reset: () => local.clear(),
    createBeatId: () => "beat",
  });
  const times = { clock, monotonicMs: clock, cacheTtlMs: 60_000, negativeCacheTtlMs: 1000, graceMs: 0 };
  const { reader, announcer } = createVerifierCache({ store, local, shared: null, trust, ...times });
  const read = async (keyId: string) => (await reader.read("default", keyId, "none")).record;
  // Only what deletions need.
  const service = { store, announcer, clock, randomBytes } as unknown as KeyService;
  return { tick: trust.tick, read, service };
}

const key = keyRecord({ kind: "imported" });
const limit = newActorLimitRecord("actor", { unit: "requests", quota: 1n, windowMs: 1000 }, nowMs);
const cases: readonly [KeyRecord, (service: KeyService) => Promise<void>, reason: string][] = [
  [key, (service) => deleteImportedKey(service, "default", origin, key.keyId), "KEY_NOT_FOUND"],
  [
    newTenantRecord(unchangedTenant("acme"), nowMs),
    (service) => deleteTenant({ keys: service, directory: {} as TenantDirectory }, origin, "acme", null),
    "TENANT_NOT_FOUND",
  ],
  [limit, (service) => removeActorLimit(service, "default", origin, "actor"), "ACTOR_LIMIT_NOT_FOUND"],
];

test.each(cases)(
  "a record that a call deleted and did not announce is in no cache once a second call has found it deleted",
  async (...given) => {
    const [record, remove, reason] = given;
    const [one, other] = [startProcess(), startProcess()];
    await store.insert("default", record, null, auditEvent(one.service, origin, [record.keyId]));
    for (const { tick, read } of [one, other]) {
      await tick();
      expect(await read(record.keyId)).not.toBeNull();
    }
    await store.delete("default", record.kind, record.keyId, auditEvent(one.service, origin, [record.keyId]));
    await other.tick();
    // Otherwise this test would show nothing.
    expect(await other.read(record.keyId)).not.toBeNull();
    await expect(remove(one.service)).rejects.toMatchObject({ reason });
    await other.tick();
    expect([await one.read(record.keyId), await other.read(record.keyId)]).toEqual([null, null]);
  },
);

test("a deletion of a key that never was begins no generation", async () => {
  const { number } = generation;
  await expect(deleteImportedKey(startProcess().service, "default", origin, "never")).rejects.toMatchObject({ reason: "KEY_NOT_FOUND" });
  expect(generation.number).toBe(number);
});
