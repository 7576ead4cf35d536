import type { AuditEvent } from "../core/audit.ts";
import { parseAuditFilter } from "../core/audit-filter.ts";
import type { KeyService } from "./key-service.ts";
import { firstThatFit, type PageBounds, type PageRequest, pageLimit } from "./list.ts";

export interface AuditEventPage {
  readonly events: readonly AuditEvent[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

/** The event of a bulk write names up to 1000 keys: so many events are read at once, and a page ends early when it names so many keys. */
const maxEventsPerRead = 100;
const maxKeyIds = 10_000;

/** One page of the audit trail, the newest event first: what has just happened is what is asked for most. It ends early as pages of keys do. */
export async function listAuditEvents(
  { store, pageTokens, clock }: Pick<KeyService, "store" | "pageTokens" | "clock">,
  tenant: string,
  { pageSize, pageToken, filter: filterText, maxBytes, bytesOf }: PageRequest & PageBounds<AuditEvent>,
): Promise<AuditEventPage> {
  const filter = parseAuditFilter(filterText);
  const scope = { tenant, kind: "audit_event", filter } as const;
  const limit = pageLimit(pageSize);
  let beforeEventId = pageToken === "" ? undefined : pageTokens.open(scope, pageToken, clock());
  const events: AuditEvent[] = [];
  let keyIdCount = 0;
  let isThereMore = true;
  while (isThereMore && events.length < limit && keyIdCount < maxKeyIds) {
    const count = Math.min(maxEventsPerRead, limit - events.length);
    const found = await store.audit.list(tenant, { ...filter, beforeEventId, limit: count + 1 });
    isThereMore = found.length > count;
    for (const event of found.slice(0, count)) {
      events.push(event);
      keyIdCount += event.keyIds.length;
    }
    beforeEventId = events.at(-1)?.eventId;
  }
  const page = firstThatFit(events, maxBytes, bytesOf);
  const lastEventId = page.at(-1)?.eventId;
  const isLast = !isThereMore && page.length === events.length;
  return { events: page, nextPageToken: isLast || lastEventId === undefined ? "" : pageTokens.seal(scope, lastEventId) };
}
