import type { KeyKind, KeyRecord } from "../core/key.ts";
import { parseKeyFilter, withOrder } from "../core/key-filter.ts";
import { type ListPosition, planList, positionOf } from "../core/key-list-plan.ts";
import type { KeyStore, ListPart, ListQuery } from "../ports/key-store.ts";
import type { KeyService } from "./key-service.ts";

/** The limits of a page. */
export interface PageBounds<T> {
  readonly maxBytes: number;
  /** The maximum size of an item in the response. */
  readonly bytesOf: (item: T) => number;
  /** Called between reads of the store. Throws if nobody waits for the page any more. */
  readonly throwIfOver: () => void;
}

export interface PageRequest {
  /** 0 means 50. More than 1000 means 1000. */
  readonly pageSize: number;
  readonly pageToken: string;
  readonly filter: string;
}

export interface ListRequest extends PageRequest, PageBounds<KeyRecord> {
  readonly kind: KeyKind;
  readonly orderBy: string;
  /** Whether the caller asked for the number of matching keys. */
  readonly hasTotalSize: boolean;
}

export interface ListPage {
  readonly records: readonly KeyRecord[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
  /** The number of keys on all pages. Null if it was not requested, exceeds `maxCounted`, or needs too many reads. */
  readonly totalSize: number | null;
}

const defaultPageSize = 50;
const maxPageSize = 1000;
/** Keys of a list are counted up to this number. */
const maxCounted = 10_000;

/** Maximum store reads per page. The next page continues from there: a filter may match few of very many keys (AIP-158). */
export const maxParts = 100;

/**
 * Returns one page of keys. It ends early, with a page token, if the next key does not fit into the response, or if too few of the keys
 * read match the filter (AIP-158).
 */
export async function listKeys(service: KeyService, tenant: string, request: ListRequest): Promise<ListPage> {
  const { kind, pageSize, pageToken, maxBytes, bytesOf, throwIfOver } = request;
  const { store, pageTokens, clock } = service;
  const nowMs = clock();
  const selection = withOrder(parseKeyFilter(request.filter), request.orderBy);
  const scope = { tenant, kind, filter: selection };
  const limit = pageLimit(pageSize);
  let position = pageToken === "" ? firstPosition : readPosition(pageTokens.open(scope, pageToken, nowMs));
  const records: KeyRecord[] = [];
  let bytes = 0;
  // One key more than the page holds shows whether there is another page.
  for (let parts = 0; parts < maxParts && position !== null && records.length <= limit && bytes <= maxBytes; parts += 1) {
    if (parts > 0) throwIfOver();
    const query: ListQuery = { kind, ...selection, nowMs, ...position, limit: limit + 1 - records.length };
    const part: ListPart = await store.list(tenant, query);
    for (const record of part.records) {
      records.push(record);
      bytes += bytesOf(record);
    }
    position = positionAfter(part);
  }
  const page = bytes <= maxBytes ? records.slice(0, limit) : firstThatFit(records.slice(0, limit), maxBytes, bytesOf);
  const last = page.at(-1);
  if (page.length < records.length && last !== undefined) position = positionOf(last, planList(selection, nowMs).index);
  const totalSize = request.hasTotalSize ? await countKeys(store, tenant, { kind, ...selection, nowMs }, throwIfOver) : null;
  return { records: page, nextPageToken: position === null ? "" : pageTokens.seal(scope, writePosition(position)), totalSize };
}

/** Counts the keys of a list. Returns null if more than `maxCounted` keys match or more than `maxParts` parts would have to be read. */
async function countKeys(
  store: KeyStore,
  tenant: string,
  selection: Omit<ListQuery, "limit">,
  throwIfOver: () => void,
): Promise<number | null> {
  let count = 0;
  let position: ListPosition | null = firstPosition;
  for (let parts = 0; parts < maxParts && position !== null; parts += 1) {
    throwIfOver();
    const part: ListPart = await store.list(tenant, { ...selection, ...position, limit: maxPageSize });
    count += part.records.length;
    if (count > maxCounted) return null;
    position = positionAfter(part);
  }
  return position === null ? count : null;
}

const firstPosition: ListPosition = { afterKeyId: "" };

function positionAfter({ lastKeyId, lastValue }: ListPart): ListPosition | null {
  if (lastKeyId === null) return null;
  return lastValue === undefined ? { afterKeyId: lastKeyId } : { afterKeyId: lastKeyId, afterValue: lastValue };
}

/**
 * A position in a page token: the key id alone, as before other orders existed, or JSON with the key id and its value. Key ids contain no
 * bracket.
 */
function writePosition({ afterKeyId, afterValue }: ListPosition): string {
  return afterValue === undefined ? afterKeyId : JSON.stringify([afterKeyId, afterValue]);
}

function readPosition(text: string): ListPosition | null {
  if (!text.startsWith("[")) return { afterKeyId: text };
  const [afterKeyId, afterValue] = JSON.parse(text) as [string, number | string];
  return { afterKeyId, afterValue };
}

/** Returns the first items that fit into `maxBytes` together. At least one, so that the reader makes progress. */
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
