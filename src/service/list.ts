import type { KeyKind, KeyRecord } from "../core/key.ts";
import { parseKeyFilter } from "../core/key-filter.ts";
import type { ListPart } from "../ports/key-store.ts";
import type { KeyService } from "./key-service.ts";

/** Limits the size of a page. */
export interface PageBounds<T> {
  readonly maxBytes: number;
  /** The maximum size of an item in the response. */
  readonly bytesOf: (item: T) => number;
}

export interface PageRequest {
  /** 0 means 50. More than 1000 means 1000. */
  readonly pageSize: number;
  readonly pageToken: string;
  readonly filter: string;
}

export interface ListRequest extends PageRequest, PageBounds<KeyRecord> {
  readonly kind: KeyKind;
}

export interface ListPage {
  readonly records: readonly KeyRecord[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

const defaultPageSize = 50;
const maxPageSize = 1000;

/** Maximum reads of the store for one page. The next page continues after that: a filter may match few of very many keys (AIP-158). */
export const maxParts = 100;

/**
 * Returns one page of keys by ascending id. It ends early, with a page token, if the next key does not fit into the response, or if the
 * filter matches too few of the keys that were read (AIP-158).
 */
export async function listKeys(
  { store, pageTokens, clock }: KeyService,
  tenant: string,
  { kind, pageSize, pageToken, filter: filterText, maxBytes, bytesOf }: ListRequest,
): Promise<ListPage> {
  const nowMs = clock();
  const filter = parseKeyFilter(filterText);
  const scope = { tenant, kind, filter };
  const limit = pageLimit(pageSize);
  let lastKeyId: string | null = pageToken === "" ? "" : pageTokens.open(scope, pageToken, nowMs);
  const records: KeyRecord[] = [];
  // One key more than the page holds shows whether there is another page.
  for (let parts = 0; parts < maxParts && lastKeyId !== null && records.length <= limit; parts += 1) {
    const query = { kind, ...filter, nowMs, afterKeyId: lastKeyId, limit: limit + 1 - records.length };
    const part: ListPart = await store.list(tenant, query);
    records.push(...part.records);
    lastKeyId = part.lastKeyId;
  }
  const page = firstThatFit(records.slice(0, limit), maxBytes, bytesOf);
  if (page.length < records.length) lastKeyId = page.at(-1)?.keyId ?? null;
  return { records: page, nextPageToken: lastKeyId === null ? "" : pageTokens.seal(scope, lastKeyId) };
}

/** The first items that fit into `maxBytes` together. At least one, so that the reader makes progress. */
export function firstThatFit<T>(items: readonly T[], maxBytes: number, bytesOf: (item: T) => number): readonly T[] {
  let bytes = 0;
  const end = items.findIndex((item, index) => {
    bytes += bytesOf(item);
    return bytes > maxBytes && index > 0;
  });
  return end === -1 ? items : items.slice(0, end);
}

/** The maximum number of items on a page. */
export function pageLimit(pageSize: number): number {
  return Math.min(pageSize || defaultPageSize, maxPageSize);
}
