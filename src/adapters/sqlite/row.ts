import type { SQLInputValue, SQLOutputValue } from "node:sqlite";
import type { JsonObject, KeyKind, KeyRecord, RevocationReason, Visibility } from "../../core/key.ts";

/**
 * The value in the column of revocation reasons for a disabled key. Such a key has the status of a revoked one, so the same indexes find
 * it. A column of its own would need a copy of each index.
 */
export const disabledReason = "disabled";

/**
 * The value of each column of a record. `last_used_time_ms` is last, because replacing a record leaves it unchanged. `first_revision` is
 * missing, because the store sets it.
 */
const columns: Readonly<Record<Exclude<keyof RecordRow, "first_revision"> | "revoked", (record: KeyRecord) => SQLInputValue>> = {
  key_id: (record) => record.keyId,
  kind: (record) => record.kind,
  revision: (record) => record.revision,
  digest: (record) => record.digest,
  actor_id: (record) => record.actorId,
  visibility: (record) => record.visibility,
  name: (record) => record.name,
  scopes: (record) => JSON.stringify(record.scopes),
  metadata: (record) => (record.metadata === null ? null : JSON.stringify(record.metadata)),
  rate_limit_quota: (record) => record.rateLimitPolicy?.quota ?? null,
  rate_limit_window_ms: (record) => record.rateLimitPolicy?.windowMs ?? null,
  rate_limit_unit: (record) => record.rateLimitPolicy?.unit ?? null,
  allowed_cidrs: (record) => JSON.stringify(record.allowedCidrs),
  create_time_ms: (record) => record.createTimeMs,
  update_time_ms: (record) => record.updateTimeMs,
  expire_time_ms: (record) => record.expireTimeMs,
  revoked: (record) => (record.revocation === null && !record.disabled ? 0 : 1),
  revocation_reason: (record) => record.revocation?.reason ?? (record.disabled ? disabledReason : null),
  revocation_description: (record) => record.revocation?.description ?? null,
  lineage_id: (record) => (record.lineageId === record.keyId ? null : record.lineageId),
  superseded_by: (record) => record.supersededBy,
  last_used_time_ms: (record) => record.lastUsedTimeMs,
};

export const recordColumns = Object.keys(columns);
const columnValues = Object.values(columns);

/** The values of a record, in the order of `recordColumns`. */
export function recordValues(record: KeyRecord): SQLInputValue[] {
  return columnValues.map((valueIn) => valueIn(record));
}

/** Columns to select for `recordOfRow`. The quota is read as text, because node:sqlite refuses to read integers beyond 2^53. */
export const recordSelection = [...recordColumns, "first_revision"]
  .map((column) => (column === "rate_limit_quota" ? "CAST(rate_limit_quota AS TEXT) AS rate_limit_quota" : `keys.${column}`))
  .join(", ");

interface RecordRow {
  readonly key_id: string;
  readonly kind: KeyKind;
  readonly revision: number;
  readonly first_revision: number;
  readonly digest: string;
  readonly actor_id: string;
  readonly visibility: Visibility;
  readonly name: string;
  readonly scopes: string;
  readonly metadata: string | null;
  readonly rate_limit_quota: string | null;
  readonly rate_limit_window_ms: number;
  readonly rate_limit_unit: string;
  readonly allowed_cidrs: string;
  readonly create_time_ms: number;
  readonly update_time_ms: number;
  readonly expire_time_ms: number | null;
  readonly revocation_reason: RevocationReason | typeof disabledReason | null;
  readonly revocation_description: string;
  /** If null, the key's own id. */
  readonly lineage_id: string | null;
  readonly superseded_by: string | null;
  readonly last_used_time_ms: number | null;
}

export function recordOfRow(selected: Record<string, SQLOutputValue>): KeyRecord {
  const row = selected as unknown as RecordRow;
  return {
    kind: row.kind,
    keyId: row.key_id,
    revision: row.revision,
    firstRevision: row.first_revision,
    digest: row.digest,
    actorId: row.actor_id,
    visibility: row.visibility,
    name: row.name,
    scopes: JSON.parse(row.scopes) as string[],
    metadata: row.metadata === null ? null : (JSON.parse(row.metadata) as JsonObject),
    rateLimitPolicy:
      row.rate_limit_quota === null
        ? null
        : { quota: BigInt(row.rate_limit_quota), windowMs: row.rate_limit_window_ms, unit: row.rate_limit_unit },
    allowedCidrs: JSON.parse(row.allowed_cidrs) as string[],
    createTimeMs: row.create_time_ms,
    updateTimeMs: row.update_time_ms,
    expireTimeMs: row.expire_time_ms,
    revocation:
      row.revocation_reason === null || row.revocation_reason === disabledReason
        ? null
        : { reason: row.revocation_reason, description: row.revocation_description },
    disabled: row.revocation_reason === disabledReason,
    lineageId: row.lineage_id ?? row.key_id,
    supersededBy: row.superseded_by,
    lastUsedTimeMs: row.last_used_time_ms,
  };
}
