import type { KeyKind, KeyRecord } from "../core/key.ts";
import { parseKeyFilter } from "../core/key-filter.ts";
import type { ListPart } from "../ports/key-store.ts";
import type { KeyService } from "./key-service.ts";

/** How large a page may become. */
export interface PageBounds<T> {
  readonly maxBytes: number;
  /** At most so many bytes an item takes in the answer. */
  readonly bytesOf: (item: T) => number;
}

export interface PageRequest {
  /** 0 means 50, more than 1000 means 1000. */
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

/** Asked of the store for one page. What is left after that is for the next page: a filter may leave few of very many keys (AIP-158). */
export const maxParts = 100;

/**
 * One page of keys by ascending id. It ends early, with a token, if the next key would not fit into the answer, or if the filter leaves
 * too few of the keys that were looked at (AIP-158).
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
  // One more than the page holds tells whether there is another page.
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

/** The first items that have room in so many bytes together; at least one, so that a reader gets on. */
export function firstThatFit<T>(items: readonly T[], maxBytes: number, bytesOf: (item: T) => number): readonly T[] {
  let bytes = 0;
  const end = items.findIndex((item, index) => {
    bytes += bytesOf(item);
    return bytes > maxBytes && index > 0;
  });
  return end === -1 ? items : items.slice(0, end);
}

/** Items of a page at most. */
export function pageLimit(pageSize: number): number {
  return Math.min(pageSize || defaultPageSize, maxPageSize);
}
