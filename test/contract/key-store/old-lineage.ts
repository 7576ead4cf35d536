import { expect } from "vitest";
import type { KeyRecord } from "../../../src/core/key.ts";
import { keyRecord } from "../../support/key-record.ts";
import type { StoreWithEvents } from "../../support/with-events.ts";

const superseded = { reason: "superseded", description: "" } as const;

/** For a store with a quota of one key and with the only key of the tenant, which a version without lineages stored. */
export async function expectFirstOfLineage(store: StoreWithEvents, tenant: string, keyId: string): Promise<void> {
  const old = (await store.get(tenant, keyId)) as KeyRecord;
  expect(old).toMatchObject({ lineageId: keyId, supersededBy: null, disabled: false, revocation: null });
  const insertOne = async () => (await store.insert(tenant, keyRecord({ keyId: "MORE" }), null)).outcome;
  expect(await insertOne()).toBe("quota_exhausted");

  const successor = keyRecord({ keyId: "NEXT", lineageId: keyId });
  const inGrace = { ...old, revision: old.revision + 1, expireTimeMs: Date.now() + 3_600_000, supersededBy: "NEXT" };
  expect(await store.rotate(tenant, inGrace, successor)).toBe(true);
  expect(await insertOne()).toBe("quota_exhausted");
  expect(await store.replace(tenant, { ...successor, revision: 2, revocation: superseded })).toBe(true);
  expect(await insertOne()).toBe("quota_exhausted");
  expect(await store.replace(tenant, { ...inGrace, revision: old.revision + 2, revocation: superseded })).toBe(true);
  expect(await insertOne()).toBe("inserted");
}
