import { type ActorLimit, actorLimitOfRecord, actorLimitRecordId } from "../core/actor-limit.ts";
import type { KeyService } from "./key-service.ts";
import { listRecords, type RecordPageRequest } from "./list-records.ts";

export interface ActorLimitPage {
  readonly limits: readonly ActorLimit[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

export interface ActorLimitPageRequest extends RecordPageRequest {
  /** Empty: of all actors. */
  readonly actorId: string;
}

export async function listActorLimits(
  service: Pick<KeyService, "store" | "pageTokens" | "clock">,
  tenant: string,
  { actorId, ...page }: ActorLimitPageRequest,
): Promise<ActorLimitPage> {
  const scope = { tenant, kind: "actor_limit", filter: actorId === "" ? {} : { actorId } } as const;
  if (actorId !== "") {
    // An actor has at most one limit, so no page token of this scope exists.
    if (page.pageToken !== "") service.pageTokens.open(scope, page.pageToken, service.clock());
    const record = await service.store.get(tenant, actorLimitRecordId(actorId));
    return { limits: record === null ? [] : [actorLimitOfRecord(record)], nextPageToken: "" };
  }
  const { records, nextPageToken } = await listRecords(service, scope, page);
  return { limits: records.map(actorLimitOfRecord), nextPageToken };
}
