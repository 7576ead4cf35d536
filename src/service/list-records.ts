import type { KeyKind, KeyRecord } from "../core/key.ts";
import type { ListScope } from "../core/page-token.ts";
import type { KeyStore } from "../ports/key-store.ts";
import type { KeyService } from "./key-service.ts";
import { firstThatFit, maxParts, type PageBounds, type PageRequest, pageLimit } from "./list.ts";

export interface RecordPage {
  readonly records: readonly KeyRecord[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

/** The page that a list of all records asks for. */
export type RecordPageRequest = Omit<PageRequest, "filter"> & PageBounds<KeyRecord>;

/** All records of a tenant and a kind, in parts of at most `limit`. */
export async function* partsOf(
  store: Pick<KeyStore, "list">,
  tenant: string,
  kind: KeyKind,
  limit: number,
): AsyncGenerator<readonly KeyRecord[]> {
  for (let afterKeyId: string | null = ""; afterKeyId !== null; ) {
    const part = await store.list(tenant, { kind, nowMs: 0, afterKeyId, limit });
    yield part.records;
    afterKeyId = part.lastKeyId;
  }
}

/**
 * Returns one page of all records of a tenant and a kind, in the order of their ids. It ends early, with a page token, if the next record
 * does not fit into the response.
 */
export async function listRecords(
  { store, pageTokens, clock }: Pick<KeyService, "store" | "pageTokens" | "clock">,
  scope: ListScope & Pick<KeyRecord, "kind">,
  { pageSize, pageToken, maxBytes, bytesOf, throwIfOver }: RecordPageRequest,
): Promise<RecordPage> {
  const { tenant, kind } = scope;
  const limit = pageLimit(pageSize);
  const nowMs = clock();
  let afterKeyId: string | null = pageToken === "" ? "" : pageTokens.open(scope, pageToken, nowMs);
  const records: KeyRecord[] = [];
  for (let parts = 0; parts < maxParts && afterKeyId !== null && records.length < limit; parts += 1) {
    if (parts > 0) throwIfOver();
    const part = await store.list(tenant, { kind, nowMs, afterKeyId, limit: limit - records.length });
    records.push(...part.records);
    afterKeyId = part.lastKeyId;
  }
  const page = firstThatFit(records, maxBytes, bytesOf);
  if (page.length < records.length) afterKeyId = (page.at(-1) as KeyRecord).keyId;
  return { records: page, nextPageToken: afterKeyId === null ? "" : pageTokens.seal(scope, afterKeyId) };
}
