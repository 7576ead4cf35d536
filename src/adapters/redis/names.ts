import { createHash } from "node:crypto";

/**
 * Version of the layout: the names here, the first 13 bytes of an entry (encoding.ts) and the messages (messages.ts). It is part of the
 * cache id, so releases with different layouts never share a cache, in which neither would see the other's changes. An addition to an
 * entry's body only changes the version of the body, not the layout.
 */
const layout = 1;

/** The names that the processes of one store use. */
export interface CacheNames {
  /** Channel on which a process announces changes. In a cluster a channel belongs to a slot, as a key does. */
  readonly channel: string;
  entry(generation: number, tenant: string, keyId: string): string;
  /** The debt of a key's rate limit. */
  limit(tenant: string, keyId: string): string;
  /** The leases of that limit, in the same slot. */
  leases(tenant: string, keyId: string): string;
}

/**
 * Channel `kw1:{namespace}:changes`, entries `kw1:{namespace}:{generation}:{tenant}:{key id}`, limits
 * `kw1:{namespace}:limit:{tenant}:{key id}`. The leases of a limit are under `kw1:{namespace}:leases:`, with the limit's slot. The tenant
 * is percent-encoded, so that names of two tenants cannot collide and none contains the braces that would make a cluster put all its keys
 * on one node. The namespace identifies the store, because several stores may share a Redis and channels ignore database numbers.
 */
export function createNames(namespace: string): CacheNames {
  const prefix = `kw${layout}:${namespace}`;
  const name = (kind: string | number, tenant: string, keyId: string) =>
    `${prefix}:${kind}:${encodeURIComponent(tenant.toWellFormed())}:${keyId}`;
  return {
    channel: `${prefix}:changes`,
    entry: name,
    limit: (tenant, keyId) => name("limit", tenant, keyId),
    leases: (tenant, keyId) =>
      keyId.startsWith("{") ? name("leases", tenant, keyId) : `${prefix}:leases:{${name("limit", tenant, keyId)}}`,
  };
}

/**
 * Returns one id for the servers that hold the cache, from the id of each server's current data set, in any order, and the database number.
 */
export function cacheIdOf(dataSets: readonly string[], db: number): string {
  const text = [layout, db, ...[...dataSets].sort()].join("\n");
  return createHash("sha256").update(text).digest("base64url").slice(0, 22);
}
