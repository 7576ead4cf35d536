import type { AuditEvent } from "../core/audit.ts";
import { parseAuditFilter } from "../core/audit-filter.ts";
import type { AuditPart } from "../ports/audit-trail.ts";
import type { KeyService } from "./key-service.ts";
import { firstThatFit, type PageBounds, type PageRequest, pageLimit } from "./list.ts";

export interface AuditEventPage {
  readonly events: readonly AuditEvent[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

/**
 * The event of a bulk write names up to 1000 keys. So only few events are read at once, and a page ends early if its events name many keys.
 */
const maxEventsPerRead = 100;
const maxKeyIds = 10_000;
/** Maximum reads of the store for one page, as for a page of keys. */
export const maxParts = 100;

/** Returns one page of the audit trail, newest event first, because recent events matter most. It may end early, as a page of keys may. */
export async function listAuditEvents(
  { store, pageTokens, clock }: Pick<KeyService, "store" | "pageTokens" | "clock">,
  tenant: string,
  { pageSize, pageToken, filter: filterText, maxBytes, bytesOf, throwIfOver }: PageRequest & PageBounds<AuditEvent>,
): Promise<AuditEventPage> {
  const filter = parseAuditFilter(filterText);
  const scope = { tenant, kind: "audit_event", filter } as const;
  const limit = pageLimit(pageSize);
  let lastEventId: string | null | undefined = pageToken === "" ? undefined : pageTokens.open(scope, pageToken, clock());
  const events: AuditEvent[] = [];
  let keyIdCount = 0;
  for (let parts = 0; parts < maxParts && lastEventId !== null && events.length < limit && keyIdCount < maxKeyIds; parts += 1) {
    if (parts > 0) throwIfOver();
    const count = Math.min(maxEventsPerRead, limit - events.length);
    const part: AuditPart = await store.audit.list(tenant, { ...filter, beforeEventId: lastEventId, limit: count + 1 });
    const found = part.events.slice(0, count);
    for (const event of found) {
      events.push(event);
      keyIdCount += event.keyIds.length;
    }
    lastEventId = part.events.length > count ? (found.at(-1)?.eventId ?? null) : part.lastEventId;
  }
  const page = firstThatFit(events, maxBytes, bytesOf);
  if (page.length < events.length) lastEventId = page.at(-1)?.eventId;
  const nextPageToken = lastEventId == null ? "" : pageTokens.seal(scope, lastEventId);
  return { events: page, nextPageToken };
}
