import type { AuditEvent } from "../../core/audit.ts";
import type { JsonObject, KeyKind, KeyRecord, Revocation, Visibility } from "../../core/key.ts";
import { termsOf } from "../../core/key-terms.ts";
import { hourMs } from "../../core/time-units.ts";

/**
 * A key as MongoDB stores it. Times are epoch milliseconds.
 *
 * `_id` is "<tenant>/<key id>". It is also the shard key, hashed: `sh.shardCollection("keywright.keys", { _id: "hashed" })`, and the same
 * for `request_marks`, `audit_events` and `key_counts`. Then every operation that names a key goes to one shard, `_id` is unique in the
 * whole cluster, and ids that sort by time do not all land on the newest chunk. Lists ask every shard and merge the results. A change and
 * its audit event may be on two shards; then their transaction uses two-phase commit.
 */
export interface KeyDocument {
  readonly _id: string;
  readonly kind: KeyKind;
  readonly revision: number;
  /** Absent from keys that were stored before this field existed. */
  readonly firstRevision?: number;
  readonly digest: string;
  readonly actorId: string;
  readonly visibility: Visibility;
  readonly name: string;
  readonly scopes: readonly string[];
  /** JSON text, because member names such as "$set", "a.b" or "__proto__" have a meaning for MongoDB or for drivers. */
  readonly metadata: string | null;
  readonly rateLimitPolicy: { readonly quota: bigint; readonly windowMs: number; readonly unit: string } | null;
  readonly allowedCidrs: readonly string[];
  readonly createTimeMs: number;
  readonly updateTimeMs: number;
  /** Infinity if the key never expires. Always a number, so that an index alone shows the status. */
  readonly expireTimeMs: number;
  readonly revoked: boolean;
  readonly revocation: Revocation | null;
  /** Absent: false. `revoked` is true as well, so that the indexes show the status. */
  readonly disabled?: boolean;
  /** Absent: the key's own id. */
  readonly lineageId?: string;
  /** Absent: null. */
  readonly supersededBy?: string | null;
  /** True for a key that is not revoked while another key of its lineage holds the place in the quota. Absent from all other keys. */
  readonly placeless?: true;
  readonly lastUsedTimeMs: number | null;
  /**
   * Hour of the last use, or of creation if the key was never used. The index of last uses holds it, so that most uses do not change the
   * index.
   */
  readonly useHour?: number;
  /** The tenant in `_id`, for indexes in another order. This, `useHour` and `terms` are absent until `addFilterFields` has run. */
  readonly tenant?: string;
  /** See `termsOf` in the core. */
  readonly terms?: readonly string[];
  /**
   * Id of the request that made the key; absent or null if it had none. A mark with another request id belongs to an earlier key with the
   * same id.
   */
  readonly requestId?: string | null;
  /** Only on keys of a batch that has its own request id. */
  readonly batchMark?: string;
}

/**
 * The tombstone of a deleted key, under its `_id`. Single-document writes put it there and replace it, without a transaction. It has none of
 * a key's fields, so no list and no write for a key matches it; only a use that is written late adds its time.
 */
export interface Tombstone {
  readonly _id: string;
  readonly tombstoneRevision: number;
  /** By the server's clock, as the TTL index that removes the tombstone uses that clock. */
  readonly deleteTime: Date;
  /** That of the key, if it had one. Its batch does not add the key again. */
  readonly batchMark?: string;
}

/** `_id` is "<tenant>/<kind>/<request id>". A mark outlives its key, so that a late replay does not create the key again. */
export interface RequestMarkDocument {
  readonly _id: string;
  readonly requestId: string;
  readonly payloadDigest: string;
  readonly keyId: string;
  /** A date, for the TTL index that removes the mark. */
  readonly createTime: Date;
}

/** `_id` is the tenant. Maintained only by processes that have a quota. */
export interface KeyCountDocument {
  readonly _id: string;
  /** Keys that are not revoked. */
  readonly used: number;
  /** How often a process has recounted. */
  readonly corrections: number;
}

/** `_id` is "<tenant>/<event id>". */
export interface AuditEventDocument extends Omit<AuditEvent, "eventId" | "timeMs"> {
  readonly _id: string;
  /** A date, for the TTL index that removes the event. */
  readonly time: Date;
}

export function hourOf(timeMs: number): number {
  return Math.floor(timeMs / hourMs);
}

export function documentId(tenant: string, keyId: string): string {
  if (tenant.includes("/")) throw new Error("a tenant's name must not hold a slash");
  return `${tenant}/${keyId}`;
}

export function markId(tenant: string, kind: KeyKind, requestId: string): string {
  return documentId(tenant, `${kind}/${requestId}`);
}

/** Selects a tenant's ids that sort after `afterKeyId`; "0" is the character after "/". */
export function idsAfter(tenant: string, afterKeyId: string): { $gt: string; $lt: string } {
  return { $gt: documentId(tenant, afterKeyId), $lt: `${tenant}0` };
}

/** Leaves out fields that have their default. Earlier versions read absent fields in the same way. */
export function documentOf(tenant: string, record: KeyRecord, requestId: string | null, batchMark: string | null = null): KeyDocument {
  const { keyId, disabled, lineageId, supersededBy } = record;
  const document: { -readonly [Name in keyof KeyDocument]: KeyDocument[Name] } = fieldsOfAll(tenant, record);
  // Not by spreading objects that may be empty, which took longer than all the rest.
  if (disabled) document.disabled = disabled;
  if (lineageId !== keyId) document.lineageId = lineageId;
  if (supersededBy !== null) document.supersededBy = supersededBy;
  if (requestId !== null) document.requestId = requestId;
  if (batchMark !== null) document.batchMark = batchMark;
  return document;
}

/**
 * The fields that replacing a key writes: all but its id, first revision and last use. Fields that older documents lack are written too.
 */
export function replacedFields(
  record: KeyRecord,
): Required<
  Omit<KeyDocument, "_id" | "tenant" | "useHour" | "firstRevision" | "lastUsedTimeMs" | "requestId" | "batchMark" | "placeless">
> {
  const { disabled, lineageId, supersededBy } = record;
  const { _id, tenant, useHour, firstRevision, lastUsedTimeMs, ...replaced } = fieldsOfAll("", record);
  return { ...replaced, disabled, lineageId, supersededBy };
}

/** The fields that every document has. */
function fieldsOfAll(
  tenant: string,
  record: KeyRecord,
): Required<Omit<KeyDocument, "disabled" | "lineageId" | "supersededBy" | "requestId" | "batchMark" | "placeless">> {
  const { rateLimitPolicy, revocation } = record;
  return {
    _id: documentId(tenant, record.keyId),
    kind: record.kind,
    revision: record.revision,
    digest: record.digest,
    actorId: record.actorId,
    visibility: record.visibility,
    name: record.name,
    scopes: record.scopes,
    terms: termsOf(record),
    metadata: record.metadata === null ? null : JSON.stringify(record.metadata),
    rateLimitPolicy:
      rateLimitPolicy === null ? null : { quota: rateLimitPolicy.quota, windowMs: rateLimitPolicy.windowMs, unit: rateLimitPolicy.unit },
    allowedCidrs: record.allowedCidrs,
    createTimeMs: record.createTimeMs,
    updateTimeMs: record.updateTimeMs,
    expireTimeMs: record.expireTimeMs ?? Number.POSITIVE_INFINITY,
    revoked: revocation !== null || record.disabled,
    revocation: revocation === null ? null : { reason: revocation.reason, description: revocation.description },
    tenant,
    useHour: hourOf(record.lastUsedTimeMs ?? record.createTimeMs),
    firstRevision: record.firstRevision,
    lastUsedTimeMs: record.lastUsedTimeMs,
  };
}

/** Requires 64-bit integers as bigint (`useBigInt64`). */
export function recordOf(document: KeyDocument): KeyRecord {
  const keyId = document._id.slice(document._id.indexOf("/") + 1);
  const { createTimeMs, lastUsedTimeMs } = document;
  return {
    kind: document.kind,
    keyId,
    revision: document.revision,
    firstRevision: document.firstRevision ?? 0,
    digest: document.digest,
    actorId: document.actorId,
    visibility: document.visibility,
    name: document.name,
    scopes: document.scopes,
    metadata: document.metadata === null ? null : (JSON.parse(document.metadata) as JsonObject),
    rateLimitPolicy: document.rateLimitPolicy,
    allowedCidrs: document.allowedCidrs,
    createTimeMs,
    updateTimeMs: document.updateTimeMs,
    expireTimeMs: document.expireTimeMs === Number.POSITIVE_INFINITY ? null : document.expireTimeMs,
    revocation: document.revocation,
    disabled: document.disabled ?? false,
    lineageId: document.lineageId ?? keyId,
    supersededBy: document.supersededBy ?? null,
    // A use before its creation was that of a deleted key with the same id.
    lastUsedTimeMs: lastUsedTimeMs !== null && lastUsedTimeMs < createTimeMs ? null : lastUsedTimeMs,
  };
}
