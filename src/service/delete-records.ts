import type { Change } from "../cache/announce.ts";
import type { Origin } from "../core/audit.ts";
import type { KeyRecord } from "../core/key.ts";
import type { RequestMark } from "../ports/key-store.ts";
import { auditEvent } from "./audit.ts";
import type { KeyService } from "./key-service.ts";

/** Records that are deleted at once. More at a time would delay the writes of other tenants. */
export const deletedAtOnce = 5;
/** Deletions that are announced in one change. */
const announcedAtOnce = 500;

/** A record to delete. With the id of the request that added it, that id may be used again. */
export interface Unwanted extends Pick<KeyRecord, "kind" | "keyId" | "revision"> {
  readonly requestId?: string | null;
}

/** A key to take back, and the request that added it. */
export function unwanted({ kind, keyId, revision }: KeyRecord, mark: RequestMark | null): Unwanted {
  return { kind, keyId, revision, requestId: mark?.requestId ?? null };
}

/**
 * Deletes records of a tenant that is gone or going, except those that have changed since they were read. The records of a part are deleted
 * at once. Many are announced together, because an announcement that no shared cache takes empties all caches.
 */
export async function deleteRecords(
  service: Pick<KeyService, "store" | "announcer" | "clock" | "randomBytes">,
  tenant: string,
  origin: Origin,
  parts: AsyncIterable<readonly Unwanted[]>,
): Promise<void> {
  let announce = service.announcer.beginChanges(tenant);
  let deleted: Change[] = [];
  const remove = async ({ kind, keyId, revision, requestId = null }: Unwanted) => {
    const event = auditEvent(service, origin, [keyId]);
    const tombstoneRevision = await service.store.delete(tenant, kind, keyId, event, {
      revision,
      forgetBatch: true,
      forgetRequestId: requestId,
    });
    if (tombstoneRevision !== null) deleted.push({ keyId, record: null, revision: tombstoneRevision });
  };
  try {
    for await (const part of parts) {
      const failure = (await Promise.allSettled(part.map(remove))).find(({ status }) => status === "rejected");
      if (failure !== undefined) throw (failure as PromiseRejectedResult).reason;
      if (deleted.length < announcedAtOnce) continue;
      const announced = deleted;
      deleted = [];
      await announce(announced);
      announce = service.announcer.beginChanges(tenant);
    }
  } finally {
    // Also after a failure: what is deleted is deleted.
    if (deleted.length > 0) await announce(deleted);
  }
}

/** The records in parts for `deleteRecords`. */
export async function* inParts(records: readonly Unwanted[]): AsyncGenerator<readonly Unwanted[]> {
  for (let start = 0; start < records.length; start += deletedAtOnce) yield records.slice(start, start + deletedAtOnce);
}
