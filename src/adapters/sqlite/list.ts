import type { DatabaseSync } from "node:sqlite";
import type { KeyRecord, KeyStatus } from "../../core/key.ts";
import type { ListQuery } from "../../ports/key-store.ts";
import { recordOfRow, recordSelection } from "./row.ts";

/** As core's `statusAt` judges. */
const statusConditions: Record<KeyStatus, string> = {
  active: "revoked = 0 AND (expire_time_ms IS NULL OR expire_time_ms > $nowMs)",
  expired: "revoked = 0 AND expire_time_ms <= $nowMs",
  revoked: "revoked = 1",
};

const statuses = [undefined, "active", "expired", "revoked"] as const;

/**
 * The statement for one combination of filters. The page's key ids come from an index that holds all its filter asks, in order and no
 * further than the page goes, then their records. The index is named because the planner, knowing nothing of the data, takes the primary
 * key for every filter and sifts through every key.
 */
export function listSql(byActor: boolean, status: KeyStatus | undefined): string {
  const index = `keys_by_${byActor ? "actor" : "kind"}${status === undefined ? "" : "_and_status"}`;
  const conditions = ["tenant = $tenant", "kind = $kind", "key_id > $afterKeyId"];
  if (byActor) conditions.push("actor_id = $actorId");
  if (status !== undefined) conditions.push(statusConditions[status]);
  return `SELECT ${recordSelection}
    FROM (SELECT key_id FROM keys INDEXED BY ${index} WHERE ${conditions.join(" AND ")} ORDER BY key_id LIMIT $limit) AS page
    CROSS JOIN keys ON keys.tenant = $tenant AND keys.key_id = page.key_id
    ORDER BY page.key_id`;
}

export function prepareList(database: DatabaseSync): (tenant: string, query: ListQuery) => KeyRecord[] {
  const prepareAll = (byActor: boolean) =>
    new Map(
      statuses.map((status) => {
        const statement = database.prepare(listSql(byActor, status));
        statement.setAllowUnknownNamedParameters(true);
        return [status, statement] as const;
      }),
    );
  const ofActor = prepareAll(true);
  const ofEveryone = prepareAll(false);
  return (tenant, query) => {
    const statement = (query.actorId === undefined ? ofEveryone : ofActor).get(query.status);
    if (statement === undefined) throw new Error("there is no list for this status");
    const rows = statement.all({
      tenant,
      kind: query.kind,
      afterKeyId: query.afterKeyId ?? "",
      actorId: query.actorId ?? "",
      nowMs: query.nowMs,
      limit: query.limit,
    });
    return rows.map(recordOfRow);
  };
}
