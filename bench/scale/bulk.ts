import { randomBytes } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { type Audit, prepareAudit } from "../../src/adapters/sqlite/audit.ts";
import { maxRowsPerCommit } from "../../src/adapters/sqlite/group-commit.ts";
import { homeSlot } from "../../src/adapters/sqlite/slots.ts";
import { defaultTenant } from "../../src/core/tenant.ts";
import { dayMs } from "../../src/core/time-units.ts";
import { createUlid } from "../../src/core/ulid.ts";
import { auditEvent } from "../../test/support/with-events.ts";
import { actorsOf, createTimeMs, digestIn, type Filling, groups, keyIdOf, keysOfCredential } from "./records.ts";

const tenant = defaultTenant;
/** As the store divides an import. */
const keysOfEvent = maxRowsPerCommit;
const keysOfChunk = 2000 * keysOfEvent;

/**
 * Fills a new SQLite store with issued keys, several times as fast as `insertMany`: in SQL, in the same order and so with the same pages,
 * but without a journal and without syncs.
 */
export function fillInBulk(path: string, filling: Filling): void {
  const database = new DatabaseSync(path, { defensive: false });
  database.exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -1048576");
  const triggers = database
    .prepare("SELECT name, sql FROM sqlite_schema WHERE tbl_name = 'keys' AND type = 'trigger'")
    .all() as unknown as { name: string; sql: string }[];
  for (const { name } of triggers) database.exec(`DROP TRIGGER ${name}`);
  // No two of these keys have one home.
  database.function("slot_of", (index) => homeSlot(tenant, keyIdOf(filling, Number(index))));
  database.function("key_id_of", (index) => keyIdOf(filling, Number(index)));
  database.function("digest_of", (index) => digestIn(filling, Number(index)));
  const audit = prepareAudit(database);
  for (let first = 0; first < filling.count; first += keysOfChunk) {
    const chunk = { first, count: Math.min(keysOfChunk, filling.count - first) };
    database.exec(["BEGIN", keysSql(filling, chunk), ...termsSql(filling, chunk)].join(";"));
    addEvents(audit, filling, chunk);
    database.exec("COMMIT");
    console.info(`${first + chunk.count} keys, ${Math.round(performance.now() / 1000)} s`);
  }
  database.exec("INSERT INTO key_counts SELECT tenant, count(*) FROM keys WHERE revoked = 0 GROUP BY tenant");
  for (const { sql } of triggers) database.exec(sql);
  database.close();
}

/** Some keys, by their indexes. */
interface Chunk {
  readonly first: number;
  readonly count: number;
}

function keysSql(filling: Filling, { first, count }: Chunk): string {
  const random = (values: number) => `(abs(random()) % ${values})`;
  return `INSERT INTO keys (slot, tenant, key_id, kind, revision, first_revision, digest, actor_id, visibility, name, scopes, metadata, allowed_cidrs,
      create_time_ms, update_time_ms, expire_time_ms, revocation_reason, revocation_description, revoked)
    WITH RECURSIVE numbers (number) AS (SELECT ${first} UNION ALL SELECT number + 1 FROM numbers WHERE number < ${first + count - 1}),
    chosen AS MATERIALIZED (SELECT number, ${createTimeMs(filling, 0)} + number * ${199 * dayMs} / ${filling.count} AS time, ${random(5)} AS life,
      number % ${keysOfCredential} <> 0 AND ${random(10)} = 3 AS revoked FROM numbers)
    SELECT slot_of(number), '${tenant}', key_id_of(number), 'issued', 1, 1, digest_of(number), 'user-' || ${random(actorsOf(filling))}, 'secret',
      'service-' || ${random(groups)} || '-key', '["invoices:read","area-' || ${random(groups)} || '"]',
      '{"team":"team-' || ${random(groups)} || '","stage":"production"}', '[]', time, time,
      CASE life WHEN 0 THEN time + ${90 * dayMs} WHEN 1 THEN time + ${365 * dayMs} WHEN 2 THEN time + ${365 * dayMs} END,
      CASE revoked WHEN 1 THEN 'superseded' END, CASE revoked WHEN 1 THEN '' END, revoked
    FROM chosen`;
}

/** Keys sort by their time, so those of a chunk are together, but for those of the same millisecond. */
function termsSql(filling: Filling, { first, count }: Chunk): string[] {
  const timeOf = (index: number) => keyIdOf(filling, index).slice(0, 10);
  const until = first + count === filling.count ? "Z" : timeOf(first + count);
  const terms = [
    "'s:invoices:read'",
    "'m:stage=production'",
    "'s:' || json_extract(scopes, '$[1]')",
    "'m:team=' || json_extract(metadata, '$.team')",
  ];
  return terms.map(
    (term) => `INSERT OR IGNORE INTO key_terms SELECT tenant, kind, ${term}, key_id FROM keys
      WHERE tenant = '${tenant}' AND key_id >= '${timeOf(first)}' AND key_id <= '${until}Z'`,
  );
}

function addEvents(audit: Audit, filling: Filling, { first, count }: Chunk): void {
  for (let start = first; start < first + count; start += keysOfEvent) {
    const timeMs = createTimeMs(filling, start);
    const length = Math.min(keysOfEvent, first + count - start);
    const keyIds = Array.from({ length }, (_, offset) => keyIdOf(filling, start + offset));
    audit.add(tenant, auditEvent({ eventId: createUlid(timeMs, randomBytes), timeMs, keyIds }));
  }
}
