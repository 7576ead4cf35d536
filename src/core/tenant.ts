import { publicPrefixOf } from "./credential-shape.ts";
import type { JsonObject, KeyRecord, RateLimitPolicy } from "./key.ts";

/** The tenant of calls that name no other one. It is always there. */
export const defaultTenant = "default";

/** What an update of a tenant may write. Null and empty: as the settings of the installation say. */
export interface TenantAttributes {
  readonly displayName: string;
  readonly hosts: readonly string[];
  readonly keyPrefix: string;
  readonly issuer: string;
  readonly defaultTtlMs: number | null;
  readonly maxTtlMs: number | null;
  readonly maxKeys: number | null;
  readonly failedVerifyLimit: RateLimitPolicy | null;
  readonly auditRetentionMs: number | null;
}

export interface Tenant extends TenantAttributes {
  readonly tenantId: string;
  /** Prefixes that were replaced. Their keys still verify. */
  readonly retiredPrefixes: readonly string[];
  readonly suspended: boolean;
  /** Null for the tenant `default` as long as it was not changed. */
  readonly createTimeMs: number | null;
  readonly updateTimeMs: number | null;
}

export const unsetAttributes: TenantAttributes = {
  displayName: "",
  hosts: [],
  keyPrefix: "",
  issuer: "",
  defaultTtlMs: null,
  maxTtlMs: null,
  maxKeys: null,
  failedVerifyLimit: null,
  auditRetentionMs: null,
};

/** A tenant that was never changed. */
export function unchangedTenant(tenantId: string): Tenant {
  return { ...unsetAttributes, tenantId, retiredPrefixes: [], suspended: false, createTimeMs: null, updateTimeMs: null };
}

const idShape = /^[a-z0-9-]{1,63}$/;

export function isTenantId(text: string): boolean {
  return idShape.test(text);
}

/*
 * A tenant is stored as a record of the kind `tenant` in the tenant `default`, under an id that no key can have. So a change of a tenant is
 * written with its audit event, announced and cached as a change of a key is, and the same bounds hold for it. The record is revoked: it
 * counts in no quota, and could not verify if something took it for a key.
 */

/** The id of the record of a tenant: `t` and the tenant's id with `Z` for each hyphen. No ULID and no hex digits begin with `t`. */
export function tenantRecordId(tenantId: string): string {
  return `t${tenantId.replaceAll("-", "Z")}`;
}

/** The tenant whose record has this id. Null for ids of keys. */
export function tenantIdOfRecordId(recordId: string): string | null {
  return recordId.startsWith("t") ? recordId.slice(1).replaceAll("Z", "-") : null;
}

const neverAKey = { reason: "privilege_withdrawn", description: "" } as const;

/** The first record of a tenant. */
export function newTenantRecord(tenant: Tenant, nowMs: number): KeyRecord {
  return {
    kind: "tenant",
    keyId: tenantRecordId(tenant.tenantId),
    revision: 1,
    firstRevision: 1,
    digest: "",
    actorId: "",
    scopes: [],
    allowedCidrs: [],
    visibility: "secret",
    createTimeMs: nowMs,
    updateTimeMs: nowMs,
    expireTimeMs: null,
    lastUsedTimeMs: null,
    revocation: neverAKey,
    disabled: false,
    lineageId: tenantRecordId(tenant.tenantId),
    supersededBy: null,
    ...tenantFields(tenant),
  };
}

/** The fields of the record that hold what can change of a tenant. */
export function tenantFields(tenant: Tenant): Pick<KeyRecord, "name" | "rateLimitPolicy" | "metadata"> {
  const { tenantId, displayName, failedVerifyLimit, createTimeMs: _, updateTimeMs: __, hosts, retiredPrefixes, ...rest } = tenant;
  const metadata: JsonObject = { tenantId, hosts: [...hosts], retiredPrefixes: [...retiredPrefixes], ...rest };
  return { name: displayName, rateLimitPolicy: failedVerifyLimit, metadata };
}

/** Records do not change, so each is read once. */
const tenants = new WeakMap<KeyRecord, Tenant>();

export function tenantOfRecord(record: KeyRecord): Tenant {
  const known = tenants.get(record);
  if (known !== undefined) return known;
  const { name, rateLimitPolicy, metadata, createTimeMs, updateTimeMs } = record;
  const rest = metadata as unknown as Omit<Tenant, "displayName" | "failedVerifyLimit" | "createTimeMs" | "updateTimeMs">;
  const tenant = { ...rest, displayName: name, failedVerifyLimit: rateLimitPolicy, createTimeMs, updateTimeMs };
  tenants.set(record, tenant);
  return tenant;
}

const noClaims: readonly string[] = [];

/** What no two tenants have in common, in texts of any characters: hosts, and prefixes of keys in use or retired. No key has any. */
export function claimsOf(record: KeyRecord): readonly string[] {
  if (record.kind !== "tenant") return noClaims;
  const tenant = tenantOfRecord(record);
  return [...new Set([...tenant.hosts.map((host) => `host ${host}`), ...prefixesOf(tenant).map((prefix) => `prefix ${prefix}`)])];
}

/** All prefixes with which keys of the tenant begin, those of public keys among them. */
export function prefixesOf({ keyPrefix, retiredPrefixes }: Pick<Tenant, "keyPrefix" | "retiredPrefixes">): string[] {
  return [keyPrefix, ...retiredPrefixes].filter((prefix) => prefix !== "").flatMap((prefix) => [prefix, publicPrefixOf(prefix)]);
}
