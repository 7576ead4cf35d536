import { type ActorLimit, actorLimitOfRecord, actorLimitRecordId } from "../core/actor-limit.ts";
import type { KeyService } from "./key-service.ts";
import { pageLimit } from "./list.ts";

export interface ActorLimitPage {
  readonly limits: readonly ActorLimit[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

export interface ActorLimitPageRequest {
  /** Empty: of all actors. */
  readonly actorId: string;
  readonly pageSize: number;
  readonly pageToken: string;
}

export async function listActorLimits(
  { store, pageTokens, clock }: Pick<KeyService, "store" | "pageTokens" | "clock">,
  tenant: string,
  { actorId, pageSize, pageToken }: ActorLimitPageRequest,
): Promise<ActorLimitPage> {
  const kind = "actor_limit";
  const scope = { tenant, kind, filter: actorId === "" ? {} : { actorId } } as const;
  const nowMs = clock();
  let afterKeyId: string | null = pageToken === "" ? "" : pageTokens.open(scope, pageToken, nowMs);
  if (actorId !== "") {
    const record = await store.get(tenant, actorLimitRecordId(actorId));
    return { limits: record === null ? [] : [actorLimitOfRecord(record)], nextPageToken: "" };
  }
  const limit = pageLimit(pageSize);
  const limits: ActorLimit[] = [];
  while (afterKeyId !== null && limits.length < limit) {
    const part = await store.list(tenant, { kind, nowMs, afterKeyId, limit: limit - limits.length });
    limits.push(...part.records.map(actorLimitOfRecord));
    afterKeyId = part.lastKeyId;
  }
  return { limits, nextPageToken: afterKeyId === null ? "" : pageTokens.seal(scope, afterKeyId) };
}
