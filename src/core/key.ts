/** JSON as in metadata and claims. */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [name: string]: JsonValue };
export type JsonObject = { [name: string]: JsonValue };

/** `tenant` and `actor_limit` are not keys: see core/setting-record.ts. */
export type KeyKind = "issued" | "imported" | "tenant" | "actor_limit";
export type Visibility = "secret" | "public";
export type KeyStatus = "active" | "revoked" | "expired";
export type RevocationReason = "key_compromise" | "affiliation_changed" | "superseded" | "privilege_withdrawn";

export interface RateLimitPolicy {
  readonly quota: bigint;
  readonly windowMs: number;
  readonly unit: string;
}

export interface Revocation {
  readonly reason: RevocationReason;
  /** Empty unless the reason is `privilege_withdrawn`. */
  readonly description: string;
}

/** The fields that an update may write. A new field of keys starts here: see "Add a field to keys" in ARCHITECTURE.md. */
export interface KeyAttributes {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly metadata: JsonObject | null;
  readonly rateLimitPolicy: RateLimitPolicy | null;
  /** CIDR ranges; empty means from everywhere. */
  readonly allowedCidrs: readonly string[];
}

/** The fields that a rotation may write, instead of the new key inheriting them. */
export interface KeyOverrides extends Partial<KeyAttributes> {
  readonly visibility?: Visibility;
}

/** One key, as stores and caches hold it. Plain data without a secret: the digest does not reveal the key. */
export interface KeyRecord extends KeyAttributes {
  readonly kind: KeyKind;
  /** ULID for issued keys, 64 hex digits for imported ones. */
  readonly keyId: string;
  /** Starts at 1 and grows by one with every change of the record, but not with `lastUsedTimeMs`. */
  readonly revision: number;
  /**
   * The revision with which this key began. If a key was deleted and imported again, the new one has the same id and begins above the
   * deleted one. 0 for keys that were stored before this field existed.
   */
  readonly firstRevision: number;
  /** SHA-256 of the whole issued key in base64url; empty for imported keys, whose id is the keyed digest. */
  readonly digest: string;
  readonly actorId: string;
  readonly visibility: Visibility;
  readonly createTimeMs: number;
  readonly updateTimeMs: number;
  /** Null: never. */
  readonly expireTimeMs: number | null;
  /** Null: not revoked. */
  readonly revocation: Revocation | null;
  /** True if the key is not usable until it is enabled again. A revoked key is never disabled, because revoking is permanent. */
  readonly disabled: boolean;
  /** The id of the first key of the chain of rotations that this key belongs to; its own id if it is the first. */
  readonly lineageId: string;
  /** The id of the key that replaced this one. Null: not rotated. */
  readonly supersededBy: string | null;
  /** Null: never used. */
  readonly lastUsedTimeMs: number | null;
}

/**
 * Status at a moment. Revoked takes precedence over expired. A key expires at its `expireTimeMs`, not after it. A disabled key counts as
 * revoked, because clients of the reference know no other status that refuses a key.
 */
export function statusAt(record: KeyRecord, nowMs: number): KeyStatus {
  if (record.revocation !== null || record.disabled) return "revoked";
  return record.expireTimeMs !== null && record.expireTimeMs <= nowMs ? "expired" : "active";
}

/** The key's state for messages: its status, or "disabled". */
export function stateAt(record: KeyRecord, nowMs: number): KeyStatus | "disabled" {
  return record.disabled ? "disabled" : statusAt(record, nowMs);
}

/** Reports whether the key was rotated, or came from a rotation. */
export function isInChain({ keyId, lineageId, supersededBy }: Pick<KeyRecord, "keyId" | "lineageId" | "supersededBy">): boolean {
  return lineageId !== keyId || supersededBy !== null;
}
