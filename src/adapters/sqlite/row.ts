import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { JsonObject, KeyKind, KeyRecord, RevocationReason, Visibility } from "../../core/key.ts";
import { memoized } from "../../memoized.ts";

/**
 * The value in the column of revocation reasons for a disabled key. Such a key has the status of a revoked one, so the same indexes find
 * it. A column of its own would need a copy of each index.
 */
export const disabledReason = "disabled";

/** The columns of a record, in the order in which statements name them. */
export const recordColumns = [
  "key_id",
  "kind",
  "revision",
  "digest",
  "actor_id",
  "visibility",
  "name",
  "scopes",
  "metadata",
  "rate_limit_quota",
  "rate_limit_window_ms",
  "rate_limit_unit",
  "allowed_cidrs",
  "create_time_ms",
  "update_time_ms",
  "expire_time_ms",
  "revoked",
  "revocation_reason",
  "revocation_description",
  "lineage_id",
  "superseded_by",
  "last_used_time_ms",
] as const;

/** The value of each column. `first_revision` is missing, because the store sets it. */
const columns: Readonly<Record<(typeof recordColumns)[number], (record: KeyRecord) => SQLInputValue>> = {
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

const columnValues = recordColumns.map((column) => columns[column]);

/** The values of a record, in the order of `recordColumns`. */
export function recordValues(record: KeyRecord): SQLInputValue[] {
  return columnValues.map((valueIn) => valueIn(record));
}

const selectedColumns = [...recordColumns, "first_revision"] as const;

/** Columns to select for `recordOfRow`. The quota is read as text, because node:sqlite refuses to read integers beyond 2^53. */
export const recordSelection = selectedColumns
  .map((column) => (column === "rate_limit_quota" ? "CAST(rate_limit_quota AS TEXT) AS rate_limit_quota" : `keys.${column}`))
  .join(", ");

/** The types of the values that are read from each column. */
interface SelectedValues {
  readonly key_id: string;
  readonly kind: KeyKind;
  readonly revision: number;
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
  readonly revoked: number;
  readonly revocation_reason: RevocationReason | typeof disabledReason | null;
  readonly revocation_description: string;
  /** If null, the key's own id. */
  readonly lineage_id: string | null;
  readonly superseded_by: string | null;
  readonly last_used_time_ms: number | null;
  readonly first_revision: number;
}

type ValuesOf<Columns extends readonly (keyof SelectedValues)[]> = { readonly [Index in keyof Columns]: SelectedValues[Columns[Index]] };

/** The values of `recordSelection`, in its order. */
type RecordRow = ValuesOf<typeof selectedColumns>;

/**
 * Prepares a statement whose rows are arrays of values, as `recordOfRow` takes them. An object with named values takes twice as long to
 * make as all the rest of reading a record.
 */
export function prepareRowArrays(database: DatabaseSync, sql: string): StatementSync {
  const statement = database.prepare(sql);
  statement.setReturnArrays(true);
  return statement;
}

/** Returns a function that prepares each text once. Parameters that a statement does not use may be given. */
export function rowStatements(database: DatabaseSync): (sql: string) => StatementSync {
  return memoized((sql) => {
    const statement = prepareRowArrays(database, sql);
    statement.setAllowUnknownNamedParameters(true);
    return statement;
  });
}

/** The record of a row of a statement that `prepareRowArrays` prepared. */
export function recordOfRow(selected: unknown): KeyRecord {
  const [
    keyId,
    kind,
    revision,
    digest,
    actorId,
    visibility,
    name,
    scopes,
    metadata,
    quota,
    windowMs,
    unit,
    allowedCidrs,
    createTimeMs,
    updateTimeMs,
    expireTimeMs,
    ,
    reason,
    description,
    lineageId,
    supersededBy,
    lastUsedTimeMs,
    firstRevision,
  ] = selected as RecordRow;
  return {
    kind,
    keyId,
    revision,
    firstRevision,
    digest,
    actorId,
    visibility,
    name,
    scopes: textsIn(scopes),
    metadata: metadata === null ? null : (JSON.parse(metadata) as JsonObject),
    rateLimitPolicy: quota === null ? null : { quota: BigInt(quota), windowMs, unit },
    allowedCidrs: textsIn(allowedCidrs),
    createTimeMs,
    updateTimeMs,
    expireTimeMs,
    revocation: reason === null || reason === disabledReason ? null : { reason, description },
    disabled: reason === disabledReason,
    lineageId: lineageId ?? keyId,
    supersededBy,
    lastUsedTimeMs,
  };
}

function textsIn(json: string): string[] {
  return json === "[]" ? [] : (JSON.parse(json) as string[]);
}
