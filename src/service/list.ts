import type { KeyKind, KeyRecord } from "../core/key.ts";
import { parseKeyFilter } from "../core/key-filter.ts";
import type { KeyService } from "./key-service.ts";

export interface PageRequest {
  /** 0 means 50, more than 1000 means 1000. */
  readonly pageSize: number;
  readonly pageToken: string;
  readonly filter: string;
}

export interface ListRequest extends PageRequest {
  readonly kind: KeyKind;
}

export interface ListPage {
  readonly records: readonly KeyRecord[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

const defaultPageSize = 50;
const maxPageSize = 1000;

/** One page of keys by ascending id. A page costs the keys it shows, however many there are (a status may make it read over others). */
export async function listKeys(
  { store, pageTokens, clock }: KeyService,
  tenant: string,
  { kind, pageSize, pageToken, filter: filterText }: ListRequest,
): Promise<ListPage> {
  const nowMs = clock();
  const filter = parseKeyFilter(filterText);
  const scope = { tenant, kind, filter };
  const limit = pageLimit(pageSize);
  const afterKeyId = pageToken === "" ? undefined : pageTokens.open(scope, pageToken, nowMs);
  const records = await store.list(tenant, { kind, ...filter, nowMs, afterKeyId, limit: limit + 1 });
  const page = records.slice(0, limit);
  const last = page.at(-1);
  return { records: page, nextPageToken: records.length > limit && last !== undefined ? pageTokens.seal(scope, last.keyId) : "" };
}

/** Items of a page at most. */
export function pageLimit(pageSize: number): number {
  return Math.min(pageSize || defaultPageSize, maxPageSize);
}
