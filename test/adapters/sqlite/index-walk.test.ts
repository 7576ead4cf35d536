import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { openDatabase } from "../../../src/adapters/sqlite/database.ts";
import { type WalkShape, walkSql } from "../../../src/adapters/sqlite/index-walk.ts";
import { openSqliteKeyStore } from "../../../src/adapters/sqlite/key-store.ts";
import { migrations } from "../../../src/adapters/sqlite/schema.ts";
import type { KeyFilter } from "../../../src/core/key-filter.ts";
import { expectFirstOfLineage } from "../../contract/key-store/old-lineage.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { withEvents } from "../../support/with-events.ts";

const indexes = ["createTime", "expireTime", "lastUsedTime", "name", "term", "disabled"] as const;
const parts = ["all", "same", "rest"] as const;
const shapes = indexes.flatMap((index) => parts.flatMap((part) => [undefined, false].map((isRevoked) => ({ index, part, isRevoked }))));

test.each(shapes)("a walk by $index, part $part, revoked $isRevoked: seeks in an index, without a sort", (shape) => {
  using folder = temporaryFolder();
  const database = openDatabase(join(folder.path, "keys.db"));
  const steps = [false, true].flatMap((isDescending) => {
    const walk: WalkShape = { ...shape, isDescending };
    return database.prepare(`EXPLAIN QUERY PLAN ${walkSql(walk)}`).all();
  });
  database.close();
  const details = steps.map(({ detail }) => String(detail)).filter((detail) => !/^(CO-ROUTINE|MERGE|LEFT|RIGHT|SCAN page)/.test(detail));
  for (const detail of details) {
    expect(detail).toMatch(/^(CORRELATED SCALAR SUBQUERY|SEARCH (keys|away|key_terms) USING ((COVERING )?INDEX|(INTEGER )?PRIMARY KEY))/);
  }
});

test("a key from a version without lineages starts its own lineage, and holds the place of its chain", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "keys.db");
  const old = new DatabaseSync(path);
  for (const step of migrations.slice(0, 6)) old.exec(step);
  old.exec(`INSERT INTO keys (tenant, key_id, kind, revision, digest, actor_id, visibility, name, scopes, metadata, allowed_cidrs, create_time_ms,
      update_time_ms, first_revision, revoked)
    VALUES ('t', 'OLD', 'issued', 1, '', '', 'secret', 'old', '["read"]', NULL, '[]', 1, 1, 1, 0);
    PRAGMA user_version = 6`);
  old.close();
  const after = withEvents(await openSqliteKeyStore({ path, clock: Date.now, maxKeys: 1 }));
  expect(await after.list("t", { kind: "issued", scopes: ["read"], nowMs: 0, limit: 10 })).toHaveLength(1);
  await expectFirstOfLineage(after, "t", "OLD");
  await after.close();
});

test("keys of an earlier version are found by the new filters after the migration", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "keys.db");
  const old = new DatabaseSync(path);
  for (const step of migrations.slice(0, 5)) old.exec(step);
  old.exec(`INSERT INTO keys (tenant, key_id, kind, revision, digest, actor_id, visibility, name, scopes, metadata, allowed_cidrs, create_time_ms,
      update_time_ms, first_revision, revoked)
    VALUES ('t', 'K', 'issued', 1, '', '', 'secret', 'old', '["read","read"]', '{"team":"blue","size":1}', '[]', 1, 1, 1, 0);
    PRAGMA user_version = 5`);
  old.close();
  const after = withEvents(await openSqliteKeyStore({ path, clock: Date.now }));
  const filters: KeyFilter[] = [{ scopes: ["read"] }, { metadata: [["team", "blue"]] }, { name: { text: "ol", isPrefix: true } }];
  for (const filter of filters) expect(await after.list("t", { kind: "issued", ...filter, nowMs: 0, limit: 10 })).toHaveLength(1);
  await after.close();
});
