import { randomBytes } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { tokenSaltBytes } from "../../ports/key-store.ts";
import { slotsStep } from "./schema-slots.ts";
import { deleteTermsSql, isPlainName, isShortText, termsSql } from "./schema-terms.ts";
import { defineHomeSlot } from "./slots.ts";

/**
 * The schema, one step per version; `user_version` holds the number of steps that have run. Released steps are never edited.
 *
 * Times are epoch milliseconds. Lists go by key id, so each index holds the columns of its filter, then the key id, then `expire_time_ms`,
 * so that the index alone shows the status. `revoked` is a stored column because SQLite does not use an index on a generated column as a
 * covering index. Finding expired keys still walks the index over all keys that are not revoked, at 100 ns each: a key's status changes
 * with the clock, which no index can follow.
 *
 * Audit events sort by id, and so by time, and each of their indexes holds the columns of the filters. The keys that an event names are in
 * a table of their own, because the event of a bulk write names many.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE keys (
    tenant TEXT NOT NULL,
    key_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    revision INTEGER NOT NULL,
    digest TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    visibility TEXT NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    metadata TEXT,
    rate_limit_quota INTEGER,
    rate_limit_window_ms INTEGER,
    rate_limit_unit TEXT,
    allowed_cidrs TEXT NOT NULL,
    create_time_ms INTEGER NOT NULL,
    update_time_ms INTEGER NOT NULL,
    expire_time_ms INTEGER,
    revocation_reason TEXT,
    revocation_description TEXT,
    last_used_time_ms INTEGER,
    -- The revision the key began with: tells it from a key with its id that was deleted before, or that came after.
    first_revision INTEGER NOT NULL,
    revoked INTEGER NOT NULL CHECK (revoked = (revocation_reason IS NOT NULL)),
    PRIMARY KEY (tenant, key_id)
  ) STRICT, WITHOUT ROWID;

  CREATE INDEX keys_by_kind ON keys (tenant, kind, key_id);
  CREATE INDEX keys_by_kind_and_status ON keys (tenant, kind, revoked, key_id, expire_time_ms);
  CREATE INDEX keys_by_actor ON keys (tenant, kind, actor_id, key_id);
  CREATE INDEX keys_by_actor_and_status ON keys (tenant, kind, actor_id, revoked, key_id, expire_time_ms);

  CREATE TABLE tombstones (
    tenant TEXT NOT NULL,
    key_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (tenant, key_id)
  ) STRICT, WITHOUT ROWID;

  -- Holds no foreign key: a mark outlives its key, so that a late replay does not create the key again.
  CREATE TABLE request_marks (
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    request_id TEXT NOT NULL,
    payload_digest TEXT NOT NULL,
    key_id TEXT NOT NULL,
    first_revision INTEGER NOT NULL,
    create_time_ms INTEGER NOT NULL,
    PRIMARY KEY (tenant, kind, request_id)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE store (
    name TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE audit_events (
    tenant TEXT NOT NULL,
    event_id TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    method TEXT NOT NULL,
    caller TEXT NOT NULL,
    client_address TEXT NOT NULL,
    request_id TEXT NOT NULL,
    key_ids TEXT NOT NULL,
    changed_fields TEXT NOT NULL,
    revocation_reason TEXT,
    error_reason TEXT,
    PRIMARY KEY (tenant, event_id)
  ) STRICT, WITHOUT ROWID;

  CREATE INDEX audit_events_by_method ON audit_events (tenant, method, event_id, caller);
  CREATE INDEX audit_events_by_caller ON audit_events (tenant, caller, event_id);

  CREATE TABLE audit_event_keys (
    tenant TEXT NOT NULL,
    key_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    method TEXT NOT NULL,
    caller TEXT NOT NULL,
    PRIMARY KEY (tenant, key_id, event_id)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  ALTER TABLE keys ADD COLUMN batch_mark TEXT;
  `,
  `
  -- Marks end after a while.
  CREATE INDEX request_marks_by_create_time ON request_marks (create_time_ms);

  -- Keys that are not revoked, by tenant. Always kept, so that it is right when a quota is set.
  CREATE TABLE key_counts (
    tenant TEXT NOT NULL PRIMARY KEY,
    used INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  INSERT INTO key_counts SELECT tenant, count(*) FROM keys WHERE revoked = 0 GROUP BY tenant;

  CREATE TRIGGER key_counted_in AFTER INSERT ON keys WHEN NEW.revoked = 0 BEGIN
    INSERT INTO key_counts (tenant, used) VALUES (NEW.tenant, 1) ON CONFLICT (tenant) DO UPDATE SET used = used + 1;
  END;
  CREATE TRIGGER key_counted_out AFTER DELETE ON keys WHEN OLD.revoked = 0 BEGIN
    UPDATE key_counts SET used = used - 1 WHERE tenant = OLD.tenant;
  END;
  CREATE TRIGGER key_counted_anew AFTER UPDATE OF revoked ON keys WHEN OLD.revoked <> NEW.revoked BEGIN
    UPDATE key_counts SET used = used + OLD.revoked - NEW.revoked WHERE tenant = NEW.tenant;
  END;
  `,
  `
  -- Lists in the order of a time. Keys that do not expire come last. For a key that was never used its creation counts.
  CREATE INDEX keys_by_create_time ON keys (tenant, kind, revoked, create_time_ms, key_id);
  CREATE INDEX keys_by_expire_time ON keys (tenant, kind, revoked, ifnull(expire_time_ms, 9007199254740991), key_id);
  CREATE INDEX keys_by_use ON keys (tenant, kind, revoked, ifnull(last_used_time_ms, create_time_ms), key_id);
  CREATE INDEX keys_by_name ON keys (tenant, kind, name, key_id);

  -- The words of each key, as core's termsOf says them.
  CREATE TABLE key_terms (
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    term TEXT NOT NULL,
    key_id TEXT NOT NULL,
    PRIMARY KEY (tenant, kind, term, key_id)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO key_terms SELECT DISTINCT tenant, keys.kind, 's:' || value, key_id FROM keys, json_each(scopes) WHERE ${isShortText};
  INSERT INTO key_terms SELECT tenant, keys.kind, 'm:' || key || '=' || value, key_id FROM keys, json_each(metadata) WHERE ${isShortText} AND ${isPlainName};

  CREATE TRIGGER key_terms_in AFTER INSERT ON keys WHEN NEW.scopes <> '[]' OR NEW.metadata IS NOT NULL BEGIN
    INSERT INTO key_terms SELECT NEW.tenant, NEW.kind, term, NEW.key_id FROM (${termsSql("NEW")});
  END;
  CREATE TRIGGER key_terms_out AFTER DELETE ON keys WHEN OLD.scopes <> '[]' OR OLD.metadata IS NOT NULL BEGIN
    ${deleteTermsSql}
  END;
  CREATE TRIGGER key_terms_anew AFTER UPDATE OF scopes, metadata ON keys
    WHEN OLD.scopes <> NEW.scopes OR OLD.metadata IS NOT NEW.metadata BEGIN
    ${deleteTermsSql}
    INSERT INTO key_terms SELECT NEW.tenant, NEW.kind, term, NEW.key_id FROM (${termsSql("NEW")});
  END;
  `,
  `
  -- Null: the key's own id.
  ALTER TABLE keys ADD COLUMN lineage_id TEXT;
  ALTER TABLE keys ADD COLUMN superseded_by TEXT;
  -- Not revoked, but another key of its lineage counts for it.
  ALTER TABLE keys ADD COLUMN placeless INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX keys_placeless ON keys (tenant, coalesce(lineage_id, key_id)) WHERE placeless = 1;

  -- A disabled key counts too, so that enabling it needs no room. Its reason is the text 'disabled'.
  DROP TRIGGER key_counted_in;
  DROP TRIGGER key_counted_out;
  DROP TRIGGER key_counted_anew;
  CREATE TRIGGER key_counted_in AFTER INSERT ON keys
  WHEN (NEW.revoked = 0 OR NEW.revocation_reason = 'disabled') AND NEW.placeless = 0 BEGIN
    INSERT INTO key_counts (tenant, used) VALUES (NEW.tenant, 1) ON CONFLICT (tenant) DO UPDATE SET used = used + 1;
  END;
  CREATE TRIGGER key_counted_out AFTER DELETE ON keys
  WHEN (OLD.revoked = 0 OR OLD.revocation_reason = 'disabled') AND OLD.placeless = 0 BEGIN
    UPDATE key_counts SET used = used - 1 WHERE tenant = OLD.tenant;
  END;
  CREATE TRIGGER key_counted_anew AFTER UPDATE OF revocation_reason, placeless ON keys
  WHEN ((OLD.revoked = 0 OR OLD.revocation_reason = 'disabled') AND OLD.placeless = 0)
    <> ((NEW.revoked = 0 OR NEW.revocation_reason = 'disabled') AND NEW.placeless = 0) BEGIN
    UPDATE key_counts
      SET used = used + CASE WHEN (NEW.revoked = 0 OR NEW.revocation_reason = 'disabled') AND NEW.placeless = 0 THEN 1 ELSE -1 END
      WHERE tenant = NEW.tenant;
  END;
  `,
  `
  CREATE INDEX keys_disabled ON keys (tenant, kind, key_id) WHERE revocation_reason = 'disabled';
  `,
  `
  -- What no two records have in common: hosts and prefixes of tenants.
  CREATE TABLE holdings (holding TEXT PRIMARY KEY, tenant TEXT NOT NULL, key_id TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX holdings_by_record ON holdings (tenant, key_id);
  `,
  `
  -- Inserts add the words of a key themselves, as core's termsOf says them: parsing JSON in a trigger cost a third of an insert.
  DROP TRIGGER key_terms_in;
  -- Lists without a status merge the two halves of the indexes that hold the status.
  DROP INDEX keys_by_kind;
  DROP INDEX keys_by_actor;
  `,
  slotsStep,
  `
  -- The batch that added the deleted key.
  ALTER TABLE tombstones ADD COLUMN batch_mark TEXT;
  `,
  `
  -- Inserts and replacements count keys themselves (key-counts.ts). SQLite copies each page that a statement with triggers changes, so that
  -- it could undo the statement alone. Copies beyond 64 KiB go to a file.
  DROP TRIGGER key_counted_in;
  DROP TRIGGER key_counted_anew;
  CREATE TRIGGER key_counted_anew AFTER UPDATE OF placeless ON keys
  WHEN OLD.placeless <> NEW.placeless AND (NEW.revoked = 0 OR NEW.revocation_reason = 'disabled') BEGIN
    UPDATE key_counts SET used = used + OLD.placeless - NEW.placeless WHERE tenant = NEW.tenant;
  END;
  `,
];

/**
 * Brings the schema up to date, and creates the salt of a new store, in one transaction. Throws if a newer Keywright wrote the schema.
 * Calls `onUpdate` before it updates the file of an older one, which may take minutes.
 */
export function migrate(database: DatabaseSync, onUpdate: () => void): void {
  defineHomeSlot(database);
  database.exec("BEGIN IMMEDIATE");
  const row = database.prepare("PRAGMA user_version").get() as { user_version: number };
  if (row.user_version > migrations.length) {
    throw new Error(
      `it has schema version ${row.user_version}, but this version of Keywright supports up to ${migrations.length}; use a newer version`,
    );
  }
  const isUpdate = row.user_version > 0 && row.user_version < migrations.length;
  if (isUpdate) onUpdate();
  for (const step of migrations.slice(row.user_version)) database.exec(step);
  database.prepare("INSERT OR IGNORE INTO store (name, value) VALUES ('token_salt', ?)").run(randomBytes(tokenSaltBytes));
  database.exec(`PRAGMA user_version = ${migrations.length}`);
  database.exec("COMMIT");
  // A step that writes all keys leaves a log as large as the file.
  if (isUpdate) database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
}
