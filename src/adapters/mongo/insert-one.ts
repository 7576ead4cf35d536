import type { InsertOutcome } from "../../ports/key-store.ts";
import { addKey } from "./add-key.ts";
import { addEvents } from "./audit.ts";
import { documentId, documentOf } from "./document.ts";
import { isDuplicateKey } from "./errors.ts";
import { holdingDocuments } from "./holdings.ts";
import { type Insertion, type InsertParts, isCounted, marksOf, outcomeOf, QuotaExhaustedError, usedBy } from "./insertion.ts";

/** Adds one key. Finds conflicts by itself. */
export async function addOne(parts: InsertParts, tenant: string, insertion: Insertion, signal: AbortSignal): Promise<InsertOutcome> {
  const {
    collections: { keys, marks, auditEvents, holdings },
    quota,
  } = parts;
  const { record, request, batchMark, eventOf } = insertion;
  const [mark] = marksOf(parts, tenant, [insertion]);
  const document = documentOf(tenant, record, request?.requestId ?? null, batchMark);
  const newHoldings = holdingDocuments(tenant, [record]);
  if (isCounted(insertion)) await quota.ready(tenant, signal);
  for (;;) {
    let isRequestIdFree = mark === undefined;
    try {
      return await quota.transaction(tenant, signal, async (session) => {
        const options = { session, signal };
        isRequestIdFree = mark === undefined;
        if (mark !== undefined) await marks.insertOne(mark, options);
        isRequestIdFree = true;
        if (newHoldings.length > 0) await holdings.insertMany(newHoldings, options);
        const revision = await addKey(keys, document, options);
        const use = await quota.take(tenant, isCounted(insertion) ? 1 : 0, options);
        if (use !== null) throw new QuotaExhaustedError(use);
        await addEvents(auditEvents, tenant, [eventOf([record.keyId])], options);
        return { outcome: "inserted", record: { ...record, revision, firstRevision: revision } };
      });
    } catch (error) {
      if (error instanceof QuotaExhaustedError) return { outcome: "quota_exhausted", ...error.use };
      if (!isDuplicateKey(error)) throw error;
    }
    if (isRequestIdFree || mark === undefined) {
      const existing = batchMark == null ? null : await keys.findOne({ _id: document._id }, { readConcern: "linearizable", signal });
      return existing === null ? { outcome: "key_id_used" } : usedBy(existing, insertion);
    }
    // Linearizable: the mark may have just been written and not be on a majority yet. If it was rolled back, the id is free.
    const used = await marks.findOne({ _id: mark._id }, { readConcern: "linearizable", signal });
    if (used !== null) return outcomeOf(used, (await keys.findOne({ _id: documentId(tenant, used.keyId) }, { signal })) ?? undefined);
  }
}
