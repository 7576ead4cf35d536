import type { AuditEvent } from "../core/audit.ts";
import type { KeyKind, KeyRecord } from "../core/key.ts";
import type { KeySelection } from "../core/key-filter.ts";
import type { SecretAcceptance, SecretMarks } from "../core/secret-marks.ts";
import { dayMs } from "../core/time-units.ts";
import type { AuditTrail } from "./audit-trail.ts";

/** How long a request id counts as used. No caller retries for longer. */
export const markLifeMs = 7 * dayMs;

/** The idempotency key of a create (AIP-155), with a digest of the request. */
export interface RequestMark {
  /** 1 to 36 characters, unique per tenant and kind for at least `markLifeMs`. */
  readonly requestId: string;
  /** Digest of the request's payload. It distinguishes a replay from a reuse. */
  readonly payloadDigest: string;
}

/** The earlier use of a request id. `record` is the current record of the key that it created, or null if that key was deleted. */
export interface UsedRequest {
  readonly payloadDigest: string;
  readonly record: KeyRecord | null;
}

export type InsertOutcome =
  /**
   * `record` is the record as stored. If a key with this id was deleted before, its revision and first revision are one above the
   * tombstone's.
   */
  | { readonly outcome: "inserted"; readonly record: KeyRecord }
  /** The request id was used before. */
  | ({ readonly outcome: "request_id_used" } & UsedRequest)
  /** The same batch added a key with this id before. `record` is the current record of that key, or null if it was deleted. */
  | { readonly outcome: "batch_repeated"; readonly record: KeyRecord | null }
  /** Another key with this id exists, or another record has one of its holdings. */
  | { readonly outcome: "key_id_used" }
  /** The tenant has `used` of `limit` keys. */
  | ({ readonly outcome: "quota_exhausted" } & KeyUse);

/** The maximum number of keys of a tenant, and the current number: keys that are not revoked, with a chain of rotations counted once. */
export interface KeyUse {
  readonly limit: number;
  readonly used: number;
}

/** A tenant's limits, which replace the store's own options. Null: as in the options. */
export interface TenantLimits {
  readonly maxKeys: number | null;
  /** Applies only if it is shorter than that of the options. */
  readonly auditRetentionMs: number | null;
}

/** The limits of all tenants. Read for every insert, so that a changed limit applies at once. */
export interface AllTenantLimits {
  of(tenant: string): TenantLimits;
  /** Returns a number that changes if the tenant has, or may have, been without its own `maxKeys` in between. */
  quotaSince(tenant: string): number;
  all(): Iterable<TenantLimits & { readonly tenantId: string }>;
}

export const noTenantLimits: AllTenantLimits = {
  of: () => ({ maxKeys: null, auditRetentionMs: null }),
  quotaSince: () => 0,
  all: () => [],
};

/** A list is in the order of key ids, of the `order`, or of the index that finds the keys (core/key-list-plan.ts). */
export interface ListQuery extends KeySelection {
  readonly kind: KeyKind;
  /** Statuses are judged at this time. */
  readonly nowMs: number;
  /** Only keys after this one in the order of the list. */
  readonly afterKeyId?: string | undefined;
  /** The `lastValue` of the previous part, if it had one. */
  readonly afterValue?: number | string | undefined;
  /** At most this many records. */
  readonly limit: number;
}

/**
 * A part of a list. A store reads a bounded number of keys per part, even if few of them match the filter, so that no list delays other
 * calls. Consecutive parts skip no key, repeat none, and end.
 */
export interface ListPart {
  /** In the order of the list. Fewer than the query's limit, even none, does not mean that there are no more. */
  readonly records: readonly KeyRecord[];
  /** The `afterKeyId` of the next part; null after the last part. */
  readonly lastKeyId: string | null;
  /** The `afterValue` of the next part. Absent in the order of key ids. */
  readonly lastValue?: number | string;
}

export const tokenSaltBytes = 32;

export interface LastUse {
  readonly tenant: string;
  readonly keyId: string;
  readonly lastUsedTimeMs: number;
}

/** A key to add, and the request id of the request that asked for it. */
export interface NewKey {
  readonly record: KeyRecord;
  readonly request: RequestMark | null;
  /**
   * Digest of the batch's own request id and of everything it requests for this key. Stored with the key, for the key's lifetime, and with
   * its tombstone, so that a late repeat does not add the key again.
   */
  readonly batchMark?: string | null;
}

export interface DeleteOptions {
  /** Only a key that has this revision is found. */
  readonly revision?: number;
  /** The batch that added the key may add it again: the deletion takes the batch back, or its tenant is gone. */
  readonly forgetBatch?: boolean;
  /** The request id under which the key was added. It may be used again, because the deletion takes the request back. */
  readonly forgetRequestId?: string | null;
}

/**
 * Stores keys. Every method is one atomic step. A returned result survives a crash of the process or the machine. The audit event given
 * with a change is added to the audit trail in the same step, and only with the change: if a method returns that nothing changed (the key
 * id or request id was used, the revision is outdated), no event is written. If the store cannot be reached, methods reject with Failure
 * STORE_UNAVAILABLE. No method rejects because of its arguments.
 *
 * If the store has a quota, no tenant ever exceeds it, even under concurrent calls. The quota counts keys that are not revoked, including
 * expired ones. Revoked keys do not count, because an issued key cannot be deleted and would otherwise count for ever. Revoking or deleting
 * a key makes room for another; a rotation needs no room. A chain of rotations counts once, even while its older keys are within their
 * grace period; if the newest is revoked, one of these counts instead. A disabled key counts, so that enabling it needs no room.
 *
 * The record of a tenant has holdings: hosts and prefixes (core's `holdingsOf`). No two records ever have a holding in common, even under
 * concurrent calls.
 *
 * Records are plain data. Neither the caller nor the store changes them after a call.
 *
 * Assumptions that a store may make, and rules that it must keep:
 * - A tenant's name contains no NUL and no slash; a key id consists of ASCII letters and digits. So `<tenant>\0<key id>` and
 *   `<tenant>/<key id>` identify one key.
 * - Every other text may be any well-formed Unicode text, including NUL and control characters, and is returned code unit for code unit.
 *   Texts are equal only if all their code units are: no case folding, normalisation, trimming or collation. This holds for request ids, for
 *   the fields of a list's filter, and for names and texts inside metadata.
 * - Lists of texts (scopes, ranges) keep their order. Metadata keeps every member name, including `$set`, `a.b` and `__proto__`.
 * - Ids sort by code units, as `<` compares strings in JavaScript: key ids ascending, ids of audit events descending. So issued keys and
 *   events sort by time.
 * - A key's first revision is the one that `insert` stored: 1, or one above the tombstone's if a key with this id was deleted before. It
 *   distinguishes two keys with one id. A tombstone must outlive every cached record of its key; a week is enough.
 */
export interface KeyStore {
  /**
   * Random bytes, created with the store and never changed. The keys that sign macaroons are derived from these and the server secret, so
   * neither alone is enough.
   */
  readonly tokenSalt: Uint8Array;

  /**
   * Adds a key. Of concurrent inserts with one request id, or one key id, exactly one returns `inserted`. A used request id takes
   * precedence over a used key id, and that over an exhausted quota.
   */
  insert(tenant: string, record: KeyRecord, request: RequestMark | null, event: AuditEvent): Promise<InsertOutcome>;

  /**
   * Adds up to 1000 keys, each as `insert` does and in their order, but not in one step: after a crash each key is stored completely or not
   * at all. Returns one outcome per key. `eventOf` is called once per step (most batches take one) with the ids of the keys that the step
   * adds.
   */
  insertMany(tenant: string, items: readonly NewKey[], eventOf: (keyIds: readonly string[]) => AuditEvent): Promise<InsertOutcome[]>;

  /** Returns null if no key is found. Sees every write that was acknowledged before the call. */
  get(tenant: string, keyId: string): Promise<KeyRecord | null>;

  /**
   * The same for up to 1000 keys, in their order, in one round trip. Not atomic: each record is its state at some moment during the call.
   */
  getMany(tenant: string, keyIds: readonly string[]): Promise<(KeyRecord | null)[]>;

  list(tenant: string, query: ListQuery): Promise<ListPart>;

  /**
   * Writes `record` over the key with the same id whose revision is `record.revision - 1`; keeps its first revision and its last use.
   * Returns false if there is no such revision: the key was changed or deleted. Of concurrent replacements of one revision, exactly one
   * returns true. Also returns false if another record has one of its holdings.
   */
  replace(tenant: string, record: KeyRecord, event: AuditEvent): Promise<boolean>;

  /**
   * `replace(retired)` and `insert(successor)` in one step, with one event and the request id. Returns false, and changes nothing, if the
   * revision is outdated, or the key id or request id is used.
   */
  rotate(tenant: string, retired: KeyRecord, successor: KeyRecord, event: AuditEvent, request?: RequestMark | null): Promise<boolean>;

  /** Returns null if no create or rotation used the request id. Sees every write that was acknowledged before the call. */
  findRequest(tenant: string, kind: KeyKind, requestId: string): Promise<UsedRequest | null>;

  /**
   * Deletes a key of that kind permanently and leaves a tombstone, so that a later insert of the same id starts at a higher revision.
   * Returns the revision of the tombstone, one above that of the record, or null if no key is found.
   */
  delete(tenant: string, kind: KeyKind, keyId: string, event: AuditEvent, options?: DeleteOptions): Promise<number | null>;

  /** Returns the revision of the tombstone with this key id, or null if there is none. Sees every `delete` that was acknowledged before. */
  tombstoneRevision(tenant: string, keyId: string): Promise<number | null>;

  /**
   * Records uses, of any tenants. Keeps the newest of several for a key. Skips unknown keys, and uses before the key was created, which are
   * those of a deleted key with the same id. Does not change revisions.
   */
  touch(uses: readonly LastUse[]): Promise<void>;

  readonly audit: AuditTrail;

  /**
   * Keeps marks of the server secrets with which the store was used, and says whether those of this start belong to it (core/secret-marks.ts).
   * Of concurrent calls each sees the marks that the ones before it left.
   */
  acceptSecrets(secrets: SecretMarks): Promise<SecretAcceptance>;

  /** Resolves if the store can serve calls. */
  ping(): Promise<void>;

  /** Waits for calls in progress, then releases all resources. Further calls reject with STORE_UNAVAILABLE. */
  close(): Promise<void>;
}
