import type { Origin } from "../core/audit.ts";
import type { KeyRecord } from "../core/key.ts";
import { Failure } from "../error/failure.ts";
import type { RequestMark } from "../ports/key-store.ts";
import { mapInTurns, type Turns } from "../turns.ts";
import { auditEvent } from "./audit.ts";
import { type Unwanted, unwanted } from "./delete-records.ts";
import { type ImportRequest, newImportOrFailure, recordOrFailure } from "./import.ts";
import { type ImportIds, idsInUse, importIdsOf, refusalIfUsed } from "./import-ids.ts";
import type { KeyService } from "./key-service.ts";
import { payloadDigestOf } from "./new-key.ts";
import { beginNewKeys } from "./tenants/tenant-fence.ts";

export interface ImportBatch {
  /** The items of the batch. An invalid item is its Failure, which is also its result. */
  readonly items: readonly (ImportRequest | Failure)[];
  /** The request id of the whole batch. Null: the caller does not retry it. */
  readonly requestId: string | null;
  /** In which the keys are prepared. If they reject, nothing is stored. */
  readonly turns?: Turns;
}

/** Null: the same batch imported the key before, and it was deleted since. */
export type ImportResult = KeyRecord | Failure | null;

/** A valid item, for the store to insert. */
interface Candidate {
  readonly index: number;
  readonly record: KeyRecord;
  readonly mark: RequestMark | null;
  readonly batchMark: string | null;
  readonly ids: ImportIds;
}

interface Sorted {
  /** The results of items that do not go to the store, by index. */
  readonly results: ImportResult[];
  readonly candidates: readonly Candidate[];
  /** For the index of a repeated item, the index of the first item with the same request. */
  readonly repeats: ReadonlyMap<number, number>;
}

/** 128 bits. Short, because every key of a batch stores it. */
const batchDigestChars = 22;

/**
 * Imports up to 1000 keys, each as `importKey` does, with one bulk write. If several items have the same key or the same request id, the
 * first one counts and the errors of the others name its index. An item that repeats request id and payload gets the result of the first. A
 * key that the same batch added before, with the same payload, counts as imported. Its result is null if it was deleted since. Rejects only
 * if the store does not answer. Then, as after a crash, each key is stored completely or not at all.
 */
export async function importKeys(service: KeyService, tenant: string, origin: Origin, batch: ImportBatch): Promise<ImportResult[]> {
  const { items, requestId, turns } = batch;
  const confirmNewKeys = beginNewKeys(service, tenant, origin);
  const prepared = await mapInTurns(items, (item, index) => prepare(service, tenant, item, index, requestId), turns);
  const { results, candidates, repeats } = sortOut(prepared);
  const announce = service.announcer.beginChanges(tenant);
  const usedIds = await idsInUse(
    service,
    tenant,
    candidates.map(({ ids }) => ids),
  );
  const fresh = candidates.filter(({ index, ids }) => {
    const refusal = refusalIfUsed(ids, usedIds);
    if (refusal !== null) results[index] = refusal;
    return refusal === null;
  });
  const insertions = fresh.map(({ record, mark, batchMark }) => ({ record, request: mark, batchMark }));
  const imported: KeyRecord[] = [];
  const inserted: Unwanted[] = [];
  const outcomes = await service.store.insertMany(tenant, insertions, (keyIds) => auditEvent(service, origin, keyIds));
  for (const [position, outcome] of outcomes.entries()) {
    const { index, mark } = fresh[position] as Candidate;
    const result = outcome.outcome === "batch_repeated" ? outcome.record : recordOrFailure(tenant, outcome, mark);
    results[index] = result;
    if (outcome.outcome === "inserted") inserted.push(unwanted(outcome.record, mark));
    if (result !== null && !(result instanceof Failure)) imported.push(result);
  }
  await confirmNewKeys(inserted);
  if (imported.length > 0) await announce(imported.map((record) => ({ keyId: record.keyId, record, revision: record.revision })));
  for (const [index, first] of repeats) results[index] = results[first] as ImportResult;
  return results;
}

function prepare(
  service: KeyService,
  tenant: string,
  item: ImportRequest | Failure,
  index: number,
  requestId: string | null,
): Candidate | Failure {
  if (item instanceof Failure) return item;
  const ids = importIdsOf(service, tenant, item.key);
  if (ids instanceof Failure) return ids;
  const { keyId } = ids;
  const made = newImportOrFailure(service, tenant, keyId, item);
  if (made instanceof Failure) return made;
  const batchMark = requestId === null ? null : `${requestId} ${payloadDigestOf(item, keyId).slice(0, batchDigestChars)}`;
  return { index, record: made.record, mark: made.mark, batchMark, ids };
}

function sortOut(items: readonly (Candidate | Failure)[]): Sorted {
  const results: ImportResult[] = new Array(items.length);
  const candidates: Candidate[] = [];
  const repeats = new Map<number, number>();
  const byKeyId = new Map<string, Candidate>();
  const byRequestId = new Map<string, Candidate>();

  for (let index = 0; index < items.length; index += 1) {
    const item = items[index] as Candidate | Failure;
    if (item instanceof Failure) {
      results[index] = item;
      continue;
    }
    const { mark, record } = item;
    const sameRequest = mark === null ? undefined : byRequestId.get(mark.requestId);
    const sameKey = byKeyId.get(record.keyId);
    if (sameRequest !== undefined) {
      if (sameRequest.mark?.payloadDigest === mark?.payloadDigest) repeats.set(index, sameRequest.index);
      else results[index] = sameAs("REQUEST_ID_REUSED", `requests[${sameRequest.index}] has the same request_id with a different payload`);
    } else if (sameKey !== undefined) {
      results[index] = sameAs("KEY_ALREADY_EXISTS", `requests[${sameKey.index}] has the same key`);
    } else {
      candidates.push(item);
      byKeyId.set(record.keyId, item);
      if (mark !== null) byRequestId.set(mark.requestId, item);
    }
  }
  return { results, candidates, repeats };
}

function sameAs(reason: "REQUEST_ID_REUSED" | "KEY_ALREADY_EXISTS", message: string): Failure {
  return new Failure(reason, { message });
}
