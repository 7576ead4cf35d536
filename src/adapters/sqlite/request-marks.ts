import type { DatabaseSync } from "node:sqlite";
import type { KeyKind, KeyRecord } from "../../core/key.ts";
import type { Clock } from "../../ports/clock.ts";
import type { RequestMark, UsedRequest } from "../../ports/key-store.ts";

/** Marks of requests that made keys. A mark outlives its key. Call each function in a transaction if it changes something. */
export interface RequestMarks {
  find(tenant: string, kind: KeyKind, requestId: string): UsedRequest | null;
  /** `record` is the key that the request made. */
  add(tenant: string, record: KeyRecord, request: RequestMark): void;
  remove(tenant: string, kind: KeyKind, requestId: string): void;
}

interface MarkRow {
  readonly payload_digest: string;
  readonly key_id: string;
  readonly first_revision: number;
}

/**
 * `keyOf` returns the key with this id, unless it was deleted after it began with this revision. Another key with its id does not count.
 */
export function prepareRequestMarks(
  database: DatabaseSync,
  clock: Clock,
  keyOf: (tenant: string, keyId: string, firstRevision: number) => KeyRecord | null,
): RequestMarks {
  const selectMark = database.prepare(
    "SELECT payload_digest, key_id, first_revision FROM request_marks WHERE tenant = ? AND kind = ? AND request_id = ?",
  );
  const insertMark = database.prepare(
    `INSERT INTO request_marks (tenant, kind, request_id, payload_digest, key_id, first_revision, create_time_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  const deleteMark = database.prepare("DELETE FROM request_marks WHERE tenant = ? AND kind = ? AND request_id = ?");
  return {
    find(tenant, kind, requestId) {
      const mark = selectMark.get(tenant, kind, requestId) as unknown as MarkRow | undefined;
      if (mark === undefined) return null;
      return { payloadDigest: mark.payload_digest, record: keyOf(tenant, mark.key_id, mark.first_revision) };
    },
    add(tenant, { kind, keyId, revision }, { requestId, payloadDigest }) {
      insertMark.run(tenant, kind, requestId, payloadDigest, keyId, revision, clock());
    },
    remove: (tenant, kind, requestId) => void deleteMark.run(tenant, kind, requestId),
  };
}
