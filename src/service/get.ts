import type { KeyKind, KeyRecord } from "../core/key.ts";
import { Failure } from "../error/failure.ts";
import type { KeyService } from "./key-service.ts";

/** Reads a key from the store. Rejects with KEY_NOT_FOUND, also for a key of the other kind. */
export async function getKey({ store }: KeyService, tenant: string, kind: KeyKind, keyId: string): Promise<KeyRecord> {
  const record = await store.get(tenant, keyId);
  if (record === null || record.kind !== kind) throw new Failure("KEY_NOT_FOUND");
  return record;
}
