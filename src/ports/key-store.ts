import type { AuditEvent } from "../core/audit.ts";
import type { KeyKind, KeyRecord, KeyStatus } from "../core/key.ts";
import type { AuditTrail } from "./audit-trail.ts";

/** How long a request id stays used: longer than anybody retries. */
export const markLifeMs = 7 * 86_400_000;

/** The idempotency key of a create (AIP-155), with a digest of what was asked. */
export interface RequestMark {
  /** 1 to 36 characters, unique per tenant and kind for at least `markLifeMs`. */
  readonly requestId: string;
  /** Digest of the request's payload, by which a replay is told from a reuse. */
  readonly payloadDigest: string;
}

export type InsertOutcome =
  /** `record` as it was stored: its revision is above the tombstone's if a key with this id was deleted before, and is its first revision too. */
  | { readonly outcome: "inserted"; readonly record: KeyRecord }
  /** The request id was used before; `record` is the key of that time as it is now, null where it was deleted since. */
  | { readonly outcome: "request_id_used"; readonly payloadDigest: string; readonly record: KeyRecord | null }
  /** A key with this id is there, which the same batch added before; `record` is that key as it is now. */
  | { readonly outcome: "batch_repeated"; readonly record: KeyRecord }
  /** Another key with this id is there. */
  | { readonly outcome: "key_id_used" }
  /** The tenant has `used` of the `limit` keys that it may have. */
  | ({ readonly outcome: "quota_exhausted" } & KeyUse);

/** How many keys a tenant may have, and how many it has: those that are not revoked. */
export interface KeyUse {
  readonly limit: number;
  readonly used: number;
}

export interface ListQuery {
  readonly kind: KeyKind;
  readonly actorId?: string | undefined;
  /** Judged against `nowMs`. */
  readonly status?: KeyStatus | undefined;
  readonly nowMs: number;
  /** Only keys whose id sorts after this one (code unit order). */
  readonly afterKeyId?: string | undefined;
  /** At most this many records. */
  readonly limit: number;
}

/**
 * A part of a list. A store looks at a bounded number of keys for each part, however few of them the filter leaves, so that no list keeps others
 * waiting. Parts that follow each other by `lastKeyId` have no gap and no key twice, and come to an end.
 */
export interface ListPart {
  /** In ascending order of key ids. Fewer than the query's limit, even none, does not mean that there are no more. */
  readonly records: readonly KeyRecord[];
  /** The `afterKeyId` to go on with; null: there are no more. */
  readonly lastKeyId: string | null;
}

export const tokenSaltBytes = 32;

export interface LastUse {
  readonly keyId: string;
  readonly lastUsedTimeMs: number;
}

/** A key to add, and the request id it is asked for by. */
export interface NewKey {
  readonly record: KeyRecord;
  readonly request: RequestMark | null;
  /** Stands for the batch's own request id and all that it asks of this key. Kept with the key, and as long as that. */
  readonly batchMark?: string | null;
}

/**
 * Where keys live. Every method is one atomic step, and whatever it answered survives a crash of the process or the machine.
 * The audit event given with a change becomes part of the audit trail in the same step as the change, and only with it: where a method
 * answers that nothing was changed (a key or request id that was used, a revision that moved on), no event is written.
 * A store that cannot be reached rejects with Failure STORE_UNAVAILABLE; no method rejects for what it was asked.
 * Where the store has a quota, no tenant gets more keys than that, whatever is asked at the same time: keys that are not revoked, expired ones
 * among them, since a key that cannot be deleted would otherwise count for ever or not at all. Revoking or deleting a key makes room for another;
 * a rotation needs none.
 * Records given and answered are plain data; neither side changes them afterwards.
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
   * Adds a key. Of concurrent inserts with one request id, or one key id, exactly one answers `inserted`; a used request id is
   * reported before a used key id, and that before a quota that is exhausted.
   */
  insert(tenant: string, record: KeyRecord, request: RequestMark | null, event: AuditEvent): Promise<InsertOutcome>;

  /**
   * Adds up to 1000 keys, each as `insert` would and in their order, but not as one step: after a crash each is wholly there or not.
   * Answers one outcome for each. `eventOf` is called for every step (most batches take one) with the ids of the keys it is to add.
   */
  insertMany(tenant: string, items: readonly NewKey[], eventOf: (keyIds: readonly string[]) => AuditEvent): Promise<InsertOutcome[]>;

  /** Null where there is no such key. Sees every write that was acknowledged before the call. */
  get(tenant: string, keyId: string): Promise<KeyRecord | null>;

  /** The same for up to 1000 keys, in their order, in one round trip. Not one step: each is as it was at some moment of the call. */
  getMany(tenant: string, keyIds: readonly string[]): Promise<(KeyRecord | null)[]>;

  list(tenant: string, query: ListQuery): Promise<ListPart>;

  /**
   * Writes `record` over the key with the same id whose revision is `record.revision - 1`, leaving its first revision and its last use
   * alone. False where there is none: the key changed since, or is gone. Of concurrent replacements of one revision exactly one answers true.
   */
  replace(tenant: string, record: KeyRecord, event: AuditEvent): Promise<boolean>;

  /** `replace(retired)` and `insert(successor)` in one step and with one event: both or, answering false, neither. */
  rotate(tenant: string, retired: KeyRecord, successor: KeyRecord, event: AuditEvent): Promise<boolean>;

  /**
   * Removes a key of that kind for good and leaves a tombstone in its place, so that a later insert of the same id starts above it.
   * Answers the tombstone's revision, one above the record's; null where there is no such key.
   */
  delete(tenant: string, kind: KeyKind, keyId: string, event: AuditEvent): Promise<number | null>;

  /** Records uses; of several stamps for a key the newest stays. Unknown keys are passed over. Does not change revisions. */
  touch(tenant: string, uses: readonly LastUse[]): Promise<void>;

  readonly audit: AuditTrail;

  /** Resolves where the store can serve. */
  ping(): Promise<void>;

  /** Waits for what is under way, then lets go of everything. Further calls reject with STORE_UNAVAILABLE. */
  close(): Promise<void>;
}
