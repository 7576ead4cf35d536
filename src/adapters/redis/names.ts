import { createHash } from "node:crypto";

/**
 * Number of the layout: of the names here, of the first 13 bytes of an entry (encoding.ts) and of the messages (messages.ts). Part of
 * the cache id, so two releases with different layouts never take each other's cache for their own, where neither would see
 * what the other changed. What only adds to an entry's body has a version of its own and needs no new layout.
 */
const layout = 1;

/** The names that one store's processes use. */
export interface CacheNames {
  /** Where a process announces changes. In a cluster a channel is bound to a slot, as a key is. */
  readonly channel: string;
  entry(generation: number, tenant: string, keyId: string): string;
  /** What a key owes its rate limit. */
  limit(tenant: string, keyId: string): string;
}

/**
 * Channel `kw1:{namespace}:changes`, entries `kw1:{namespace}:{generation}:{tenant}:{key id}`, limits `kw1:{namespace}:limit:{tenant}:{key id}`, the tenant percent-encoded, so that no
 * tenant's name reaches into another's and none holds the braces by which a cluster would put all its keys on one node. The namespace
 * stands for the store: several may share a Redis, whose channels know no databases.
 */
export function createNames(namespace: string): CacheNames {
  const prefix = `kw${layout}:${namespace}`;
  const name = (kind: string | number, tenant: string, keyId: string) =>
    `${prefix}:${kind}:${encodeURIComponent(tenant.toWellFormed())}:${keyId}`;
  return {
    channel: `${prefix}:changes`,
    entry: name,
    limit: (tenant, keyId) => name("limit", tenant, keyId),
  };
}

/** One name for the servers that hold the cache: what each one calls its present data set, in any order, and the database on them. */
export function cacheIdOf(dataSets: readonly string[], db: number): string {
  const text = [layout, db, ...[...dataSets].sort()].join("\n");
  return createHash("sha256").update(text).digest("base64url").slice(0, 22);
}
