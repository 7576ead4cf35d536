import { deleteTermsSql, termsSql } from "./schema-terms.ts";

const keyColumns = `tenant, key_id, kind, revision, digest, actor_id, visibility, name, scopes, metadata, rate_limit_quota, rate_limit_window_ms,
      rate_limit_unit, allowed_cidrs, create_time_ms, update_time_ms, expire_time_ms, revocation_reason, revocation_description,
      last_used_time_ms, first_revision, revoked, batch_mark, lineage_id, superseded_by, placeless`;

/** The step of the schema that gives each key a slot (slots.ts). It writes all keys anew. */
export const slotsStep = `
  -- Rows are found by an integer, so that inner pages hold integers instead of whole rows and always are in the page cache (slots.ts).
  -- What is dropped first makes room, so that the file grows less: the old and the new rows exist at once.
  DROP INDEX keys_by_kind_and_status;
  DROP INDEX keys_by_actor_and_status;
  DROP INDEX keys_by_create_time;
  DROP INDEX keys_by_expire_time;
  DROP INDEX keys_by_use;
  DROP INDEX keys_by_name;
  DROP INDEX keys_placeless;
  DROP INDEX keys_disabled;
  CREATE TABLE keys_in_slots (
    slot INTEGER PRIMARY KEY,
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
    first_revision INTEGER NOT NULL,
    revoked INTEGER NOT NULL CHECK (revoked = (revocation_reason IS NOT NULL)),
    batch_mark TEXT,
    lineage_id TEXT,
    superseded_by TEXT,
    placeless INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  -- In the order of slots, or else each row of an imported key changes another page. The second of two keys with one home is away.
  INSERT OR IGNORE INTO keys_in_slots (slot, ${keyColumns})
    SELECT home_slot(tenant, key_id), ${keyColumns} FROM keys ORDER BY 1;
  INSERT INTO keys_in_slots (slot, ${keyColumns})
    SELECT -row_number() OVER (), ${keyColumns} FROM keys
    WHERE (SELECT count(*) FROM keys) > (SELECT count(*) FROM keys_in_slots) AND NOT EXISTS (
      SELECT 1 FROM keys_in_slots AS other
      WHERE other.slot = home_slot(keys.tenant, keys.key_id) AND other.tenant = keys.tenant AND other.key_id = keys.key_id);
  DROP TABLE keys;
  ALTER TABLE keys_in_slots RENAME TO keys;

  CREATE UNIQUE INDEX keys_away ON keys (tenant, key_id) WHERE slot < 0;
  CREATE INDEX keys_by_kind_and_status ON keys (tenant, kind, revoked, key_id, expire_time_ms);
  CREATE INDEX keys_by_actor_and_status ON keys (tenant, kind, actor_id, revoked, key_id, expire_time_ms);
  CREATE INDEX keys_by_create_time ON keys (tenant, kind, revoked, create_time_ms, key_id);
  CREATE INDEX keys_by_expire_time ON keys (tenant, kind, revoked, ifnull(expire_time_ms, 9007199254740991), key_id);
  CREATE INDEX keys_by_use ON keys (tenant, kind, revoked, ifnull(last_used_time_ms, create_time_ms), key_id);
  CREATE INDEX keys_by_name ON keys (tenant, kind, name, key_id);
  CREATE INDEX keys_placeless ON keys (tenant, coalesce(lineage_id, key_id)) WHERE placeless = 1;
  CREATE INDEX keys_disabled ON keys (tenant, kind, key_id) WHERE revocation_reason = 'disabled';

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
  CREATE TRIGGER key_terms_out AFTER DELETE ON keys WHEN OLD.scopes <> '[]' OR OLD.metadata IS NOT NULL BEGIN
    ${deleteTermsSql}
  END;
  CREATE TRIGGER key_terms_anew AFTER UPDATE OF scopes, metadata ON keys
    WHEN OLD.scopes <> NEW.scopes OR OLD.metadata IS NOT NEW.metadata BEGIN
    ${deleteTermsSql}
    INSERT INTO key_terms SELECT NEW.tenant, NEW.kind, term, NEW.key_id FROM (${termsSql("NEW")});
  END;
`;
