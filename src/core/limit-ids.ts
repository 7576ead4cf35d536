import type { KeyRecord } from "./key.ts";

/*
 * Ids under which debts are stored. The text in braces selects the node of a Redis Cluster, so that the limit of a key and that of its
 * actor can be taken in one step. An encoded actor id contains no braces.
 */

/** By lineage, so that a key and its successor share a limit. */
export function keyLimitId({ lineageId, actorId }: Pick<KeyRecord, "lineageId" | "actorId">): string {
  return actorId === "" ? lineageId : actorLimitId(actorId) + lineageId;
}

/** The id of the limit that the keys of an actor share. */
export function actorLimitId(actorId: string): string {
  return `{${encodeURIComponent(actorId.toWellFormed())}}`;
}
