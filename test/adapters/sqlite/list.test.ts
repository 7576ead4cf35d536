import { join } from "node:path";
import { expect, test } from "vitest";
import { auditSql } from "../../../src/adapters/sqlite/audit.ts";
import { openDatabase } from "../../../src/adapters/sqlite/database.ts";
import { openSqliteKeyStore } from "../../../src/adapters/sqlite/key-store.ts";
import { listSql, stepSql } from "../../../src/adapters/sqlite/list.ts";
import type { KeyFilter } from "../../../src/core/key-filter.ts";
import type { ListPart } from "../../../src/ports/key-store.ts";
import { keyRecord } from "../../support/key-record.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { withEvents } from "../../support/with-events.ts";

const statuses = [undefined, "active", "expired", "revoked"] as const;

test.each([false, true].flatMap((byActor) => statuses.map((status) => ({ byActor, status }))))(
  "listing by actor: $byActor, status $status: seeks in a covering index, without a sort or a scan of the keys",
  ({ byActor, status }) => {
    using folder = temporaryFolder();
    const database = openDatabase(join(folder.path, "keys.db"));
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${listSql({ byActor, byTerm: false, status })}`).all();
    database.close();
    const equals = ["tenant=?", "kind=?", byActor ? "actor_id=?" : "", "revoked=?"].filter(Boolean).join(" AND ");
    const seek = `SEARCH keys USING COVERING INDEX keys_by_${byActor ? "actor" : "kind"}_and_status (${equals} AND key_id>? AND key_id<?)`;
    expect(plan.map((step) => step.detail)).toEqual([
      "CO-ROUTINE page",
      ...(status === undefined ? ["MERGE (UNION ALL)", "LEFT", seek, "RIGHT", seek] : [seek]),
      "SCAN page",
      "SEARCH keys USING INTEGER PRIMARY KEY (rowid=?)",
    ]);
  },
);

test.each(statuses)("listing an actor's keys with a term, status %s: looks the term up for each key of the actor", (status) => {
  using folder = temporaryFolder();
  const database = openDatabase(join(folder.path, "keys.db"));
  const shape = { byActor: true, byTerm: true, status };
  const plan = [listSql(shape), stepSql(shape)].flatMap((sql) => database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all());
  database.close();
  const details = plan.map((step) => String(step.detail));
  const searches = details.filter((detail) => /^(SEARCH|SCAN) (?!page|keys USING INTEGER PRIMARY KEY)/.test(detail));
  for (const detail of searches) {
    expect(detail).toMatch(
      /^SEARCH (keys USING COVERING INDEX keys_by_actor_and_status \(tenant=\? AND kind=\? AND actor_id=\? AND revoked=\? AND key_id>|key_terms (EXISTS )?USING PRIMARY KEY \(tenant=\? AND kind=\? AND term=\? AND key_id=\?\))/,
    );
  }
  expect(searches.length).toBe(status === undefined ? 6 : 3);
  expect(details.join()).not.toContain("TEMP B-TREE");
});

const choices = [false, true];
test.each(choices.flatMap((byKey) => choices.flatMap((byMethod) => choices.map((byCaller) => ({ byKey, byMethod, byCaller })))))(
  "listing audit events by key: $byKey, method: $byMethod, caller: $byCaller: seeks in an index, without a sort",
  ({ byKey, byMethod, byCaller }) => {
    using folder = temporaryFolder();
    const database = openDatabase(join(folder.path, "keys.db"));
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${auditSql(byKey, byMethod, byCaller)}`).all();
    database.close();
    const first = byKey ? "key_id=? AND " : byMethod ? "method=? AND " : byCaller ? "caller=? AND " : "";
    expect(plan.map((step) => step.detail)).toEqual([
      "CO-ROUTINE page",
      expect.stringMatching(/^SEARCH (audit_events|audit_event_keys) USING (COVERING INDEX|PRIMARY KEY)/),
      "SCAN page",
      "SEARCH audit_events USING PRIMARY KEY (tenant=? AND event_id=?)",
    ]);
    expect(plan[1]?.detail).toContain(`(tenant=? AND ${first}event_id>? AND event_id<?)`);
  },
);

test.each<KeyFilter>([
  { actorId: "actor", scopes: ["read"], name: { text: "last", isPrefix: false } },
  { actorId: "actor", scopes: ["read", "last"] },
  { scopes: ["read", "last"] },
  { scopes: ["last"], metadata: [["team", "blue"]] },
])("a list by a term and another filter reads many keys in a step, even for a small page: %j", async (filter) => {
  using folder = temporaryFolder();
  const store = await openSqliteKeyStore({ path: join(folder.path, "keys.db"), clock: Date.now });
  const items = Array.from({ length: 300 }, (_, index) => ({
    record: keyRecord({
      keyId: `key-${String(index).padStart(3, "0")}`,
      actorId: "actor",
      scopes: index === 299 ? ["read", "last"] : ["read"],
      metadata: { team: "blue" },
      name: index === 299 ? "last" : "other",
    }),
    request: null,
  }));
  await withEvents(store).insertMany("t", items);
  const query = { kind: "issued", ...filter, nowMs: 0, limit: 1 } as const;
  const found = [];
  let steps = 0;
  for (let afterKeyId: string | null = ""; afterKeyId !== null && found.length === 0; steps += 1) {
    const part: ListPart = await store.list("t", { ...query, afterKeyId });
    found.push(...part.records.map(({ name }) => name));
    afterKeyId = part.lastKeyId;
  }
  await store.close();
  expect([found, steps]).toEqual([["last"], 3]);
});
