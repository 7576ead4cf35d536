import type { AuditEvent } from "../core/audit.ts";
import type { KeyKind, KeyRecord } from "../core/key.ts";
import type { KeySelection } from "../core/key-filter.ts";
import type { AuditTrail } from "./audit-trail.ts";

/** How long a request id stays used. No caller retries for longer. */
export const markLifeMs = 7 * 86_400_000;

/** The idempotency key of a create (AIP-155), with a digest of what was asked. */
export interface RequestMark {
  /** 1 to 36 characters, unique per tenant and kind for at least `markLifeMs`. */
  readonly requestId: string;
  /** Digest of the request's payload. It distinguishes a replay from a reuse. */
  readonly payloadDigest: string;
}

/** What a request id was used for. `record` is the current record of the key that it created, null if that key was deleted. */
export interface UsedRequest {
  readonly payloadDigest: string;
  readonly record: KeyRecord | null;
}

export type InsertOutcome =
  /** `record` as it was stored: its revision is above the tombstone's if a key with this id was deleted before, and is its first revision too. */
  | { readonly outcome: "inserted"; readonly record: KeyRecord }
  /** The request id was used before. */
  | ({ readonly outcome: "request_id_used" } & UsedRequest)
  /** The same batch added a key with this id before. `record` is the current record of that key. */
  | { readonly outcome: "batch_repeated"; readonly record: KeyRecord }
  /** Another key with this id exists, or another record has one of its claims. */
  | { readonly outcome: "key_id_used" }
  /** The tenant has `used` of the `limit` keys that it may have. */
  | ({ readonly outcome: "quota_exhausted" } & KeyUse);

/** How many keys a tenant may have, and how many it has: those that are not revoked, a chain of rotations once. */
export interface KeyUse {
  readonly limit: number;
  readonly used: number;
}

/** What a store keeps to for one tenant in place of its own options. Null: as the options say. */
export interface TenantLimits {
  readonly maxKeys: number | null;
  /** Holds only if it is shorter than that of the options. */
  readonly auditRetentionMs: number | null;
}

/** The limits of all tenants. Asked for every insert, so that a change of a limit holds at once. */
export interface AllTenantLimits {
  of(tenant: string): TenantLimits;
  all(): Iterable<TenantLimits & { readonly tenantId: string }>;
}

export const noTenantLimits: AllTenantLimits = { of: () => ({ maxKeys: null, auditRetentionMs: null }), all: () => [] };

/** A list is in the order of key ids, of the `order`, or of the index that finds the keys (core/key-list-plan.ts). */
export interface ListQuery extends KeySelection {
  readonly kind: KeyKind;
  /** Statuses are judged against it. */
  readonly nowMs: number;
  /** Only keys after this one in the order of the list. */
  readonly afterKeyId?: string | undefined;
  /** The `lastValue` of the part before, if it had one. */
  readonly afterValue?: number | string | undefined;
  /** At most this many records. */
  readonly limit: number;
}

/**
 * A part of a list. A store reads a bounded number of keys for each part, even if few of them match the filter, so that no list keeps other
 * calls waiting. Consecutive parts leave out no key, repeat none, and come to an end.
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
  readonly keyId: string;
  readonly lastUsedTimeMs: number;
}

/** A key to add, and the request id of the request that asked for it. */
export interface NewKey {
  readonly record: KeyRecord;
  readonly request: RequestMark | null;
  /** Stands for the batch's own request id and all that it asks of this key. Kept with the key, and as long as that. */
  readonly batchMark?: string | null;
}

/**
 * Where keys live. Every method is one atomic step. What it returned survives a crash of the process or the machine.
 * The audit event given with a change becomes part of the audit trail in the same step as the change, and only with it: if a method
 * returns that nothing was changed (the key id or request id was used, the revision is outdated), no event is written.
 * If the store cannot be reached, methods reject with Failure STORE_UNAVAILABLE. No method rejects because of its arguments.
 * If the store has a quota, no tenant ever has more keys than that, also under concurrent calls. The quota counts keys that are not revoked,
 * including expired ones, since a key that cannot be deleted would otherwise count for ever or not at all. Revoking or deleting a key makes room
 * for another; a rotation needs none. A chain of rotations counts once, also while its older keys are within their grace; when the newest is revoked, one
 * of these counts instead. A disabled key counts, so that enabling it needs no room.
 * A record of a tenant has claims (core's `claimsOf`): hosts and prefixes. No two records ever have one in common, also under concurrent calls.
 * Records are plain data. Neither the caller nor the store changes them after a call.
 *
 * What a store may take for granted, and what it must keep:
 * - A tenant's name holds no NUL and no slash; a key id is made of ASCII letters and digits. So `<tenant>\0<key id>` and `<tenant>/<key id>` name one key.
 * - Every other text may be any well-formed Unicode text, NUL and control characters included, and comes back code unit for code unit. Texts are
 *   equal only if all their code units are: no case folding, no normalisation, no trimming, no collation. That holds for request ids and for
 *   what a list filters by, and for the names and texts inside metadata.
 * - Lists of texts (scopes, ranges) keep their order. Metadata keeps every member name, `$set`, `a.b` and `__proto__` among them.
 * - Ids sort by code units, as `<` compares strings in JavaScript: key ids upwards, ids of audit events downwards. Issued keys and events so sort
 *   by time.
 * - A key's first revision is the one that `insert` stored: 1, or one above the tombstone's if a key with this id was deleted before. It tells
 *   two lives of one id apart. A tombstone must outlive every cached record of its key; a week is enough.
 */
export interface KeyStore {
  /**
   * Random bytes, made with the store and never changed. What signs macaroons is derived from the server secret and these, so that neither of
   * them alone is enough.
   */
  readonly tokenSalt: Uint8Array;

  /**
   * Adds a key. Of concurrent inserts with one request id, or one key id, exactly one returns `inserted`. A used request id is
   * reported before a used key id, and that before an exhausted quota.
   */
  insert(tenant: string, record: KeyRecord, request: RequestMark | null, event: AuditEvent): Promise<InsertOutcome>;

  /**
   * Adds up to 1000 keys, each as `insert` does and in their order, but not as one step: after a crash each key is either stored completely or not
   * at all. Returns one outcome for each. `eventOf` is called for every step (most batches take one) with the ids of the keys that it adds.
   */
  insertMany(tenant: string, items: readonly NewKey[], eventOf: (keyIds: readonly string[]) => AuditEvent): Promise<InsertOutcome[]>;

  /** Returns null if no key is found. Sees every write that was acknowledged before the call. */
  get(tenant: string, keyId: string): Promise<KeyRecord | null>;

  /** The same for up to 1000 keys, in their order, in one round trip. Not one step: each record is the state at some moment during the call. */
  getMany(tenant: string, keyIds: readonly string[]): Promise<(KeyRecord | null)[]>;

  list(tenant: string, query: ListQuery): Promise<ListPart>;

  /**
   * Writes `record` over the key with the same id whose revision is `record.revision - 1`, leaving its first revision and its last use
   * alone. Returns false if there is no such revision: the key was changed or deleted. Of concurrent replacements of one revision, exactly one
   * returns true. Also returns false if another record has one of its claims.
   */
  replace(tenant: string, record: KeyRecord, event: AuditEvent): Promise<boolean>;

  /**
   * `replace(retired)` and `insert(successor)` in one step and with one event and the request id. Returns false if neither was done: the
   * revision is outdated, or the key id or request id is used.
   */
  rotate(tenant: string, retired: KeyRecord, successor: KeyRecord, event: AuditEvent, request?: RequestMark | null): Promise<boolean>;

  /** Returns null if no create or rotation used the request id. Sees every write that was acknowledged before the call. */
  findRequest(tenant: string, kind: KeyKind, requestId: string): Promise<UsedRequest | null>;

  /**
   * Removes a key of that kind for good and leaves a tombstone in its place, so that a later insert of the same id starts at a higher revision.
   * Returns the revision of the tombstone, one above that of the record, or null if no key is found. With `revision`, only a key that has it is
   * found.
   */
  delete(tenant: string, kind: KeyKind, keyId: string, event: AuditEvent, revision?: number): Promise<number | null>;

  /** Records uses. Of several stamps for a key, the newest is kept. Skips unknown keys. Does not change revisions. */
  touch(tenant: string, uses: readonly LastUse[]): Promise<void>;

  readonly audit: AuditTrail;

  /** Resolves if the store can serve calls. */
  ping(): Promise<void>;

  /** Waits for calls in progress, then releases all resources. Further calls reject with STORE_UNAVAILABLE. */
  close(): Promise<void>;
}
