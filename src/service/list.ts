import type { KeyKind, KeyRecord } from "../core/key.ts";
import { parseKeyFilter } from "../core/key-filter.ts";
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

/**
 * One page of keys by ascending id, which ends early where the next key would not fit. A page costs the keys it shows, however many there
 * are (a status may make it read over others).
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
  const afterKeyId = pageToken === "" ? undefined : pageTokens.open(scope, pageToken, nowMs);
  const records = await store.list(tenant, { kind, ...filter, nowMs, afterKeyId, limit: limit + 1 });
  const page = firstThatFit(records.slice(0, limit), maxBytes, bytesOf);
  const last = page.at(-1);
  return { records: page, nextPageToken: records.length > page.length && last !== undefined ? pageTokens.seal(scope, last.keyId) : "" };
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
