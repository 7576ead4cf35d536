import { Failure } from "../error/failure.ts";
import type { KeyService } from "./key-service.ts";

/** Deletes an imported key and its record. Rejects with KEY_NOT_FOUND, for an issued key too: those are only revoked. */
export async function deleteImportedKey({ store, reader }: KeyService, tenant: string, keyId: string): Promise<void> {
  const tell = reader.beginChange(tenant, keyId);
  const tombstoneRevision = await store.delete(tenant, "imported", keyId);
  if (tombstoneRevision === null) throw new Failure("KEY_NOT_FOUND");
  await tell(null, tombstoneRevision);
}
