import { parseFilter } from "../core/filter.ts";
import type { KeyKind, KeyRecord } from "../core/key.ts";
import type { KeyService } from "./key-service.ts";

export interface ListRequest {
  readonly kind: KeyKind;
  /** 0 means 50, more than 1000 means 1000. */
  readonly pageSize: number;
  readonly pageToken: string;
  readonly filter: string;
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
  const filter = parseFilter(filterText);
  const scope = { tenant, kind, filter };
  const limit = Math.min(pageSize || defaultPageSize, maxPageSize);
  const afterKeyId = pageToken === "" ? undefined : pageTokens.open(scope, pageToken, nowMs);
  const records = await store.list(tenant, { kind, ...filter, nowMs, afterKeyId, limit: limit + 1 });
  const page = records.slice(0, limit);
  const last = page.at(-1);
  return { records: page, nextPageToken: records.length > limit && last !== undefined ? pageTokens.seal(scope, last.keyId) : "" };
}
