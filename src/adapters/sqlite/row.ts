import type { SQLInputValue, SQLOutputValue } from "node:sqlite";
import type { JsonObject, KeyKind, KeyRecord, RevocationReason, Visibility } from "../../core/key.ts";

/** The columns of a record, in the order of `recordValues`; `last_used_time_ms` is last, since replacing a record leaves it alone. */
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
  "last_used_time_ms",
] as const;

/** What to select for `recordOfRow`. The quota comes as text, since node:sqlite refuses to read integers beyond 2^53. */
export const recordSelection = [...recordColumns, "first_revision"]
  .map((column) => (column === "rate_limit_quota" ? "CAST(rate_limit_quota AS TEXT) AS rate_limit_quota" : `keys.${column}`))
  .join(", ");

export function recordValues(record: KeyRecord): SQLInputValue[] {
  return [
    record.keyId,
    record.kind,
    record.revision,
    record.digest,
    record.actorId,
    record.visibility,
    record.name,
    JSON.stringify(record.scopes),
    record.metadata === null ? null : JSON.stringify(record.metadata),
    record.rateLimitPolicy?.quota ?? null,
    record.rateLimitPolicy?.windowMs ?? null,
    record.rateLimitPolicy?.unit ?? null,
    JSON.stringify(record.allowedCidrs),
    record.createTimeMs,
    record.updateTimeMs,
    record.expireTimeMs,
    record.revocation === null ? 0 : 1,
    record.revocation?.reason ?? null,
    record.revocation?.description ?? null,
    record.lastUsedTimeMs,
  ];
}

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
  readonly revocation_reason: RevocationReason | null;
  readonly revocation_description: string;
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
    revocation: row.revocation_reason === null ? null : { reason: row.revocation_reason, description: row.revocation_description },
    lastUsedTimeMs: row.last_used_time_ms,
  };
}
