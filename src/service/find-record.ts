import { matchesRecord, type PresentedCredential } from "../core/credential.ts";
import type { KeyRecord } from "../core/key.ts";

/** Returns the record of the credential: of the ids that it may have, the first one with a matching record decides. Null if none has. */
export async function findRecord(
  presented: PresentedCredential,
  read: (keyId: string) => Promise<KeyRecord | null>,
): Promise<KeyRecord | null> {
  for (const keyId of presented.keyIds) {
    const record = await read(keyId);
    if (record !== null && matchesRecord(presented, record)) return record;
  }
  return null;
}
