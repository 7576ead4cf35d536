import { memoized } from "../memoized.ts";
import { publicPrefixOf } from "./credential-shape.ts";
import type { JsonObject, KeyRecord, RateLimitPolicy } from "./key.ts";
import { newSettingRecord, settingRecordId, settingTextOf } from "./setting-record.ts";

/** The header or metadata that names the tenant of a call. */
export const tenantHeader = "keywright-tenant";

/** The tenant of calls that name no other one. It is always there. */
export const defaultTenant = "default";

/** The key of a map for an id within a tenant. Ids of tenants contain no NUL, so no two pairs share a key. */
export function mapKeyOf(tenant: string, id: string): string {
  return `${tenant}\0${id}`;
}

/** The fields that an update of a tenant may write. Null and empty values follow the settings of the installation. */
export interface TenantAttributes {
  readonly displayName: string;
  readonly hosts: readonly string[];
  readonly keyPrefix: string;
  readonly issuer: string;
  readonly defaultTtlMs: number | null;
  readonly maxTtlMs: number | null;
  readonly maxKeys: number | null;
  readonly failedVerifyLimit: RateLimitPolicy | null;
  /** The limit that the keys of one actor share, unless the actor has its own limit. */
  readonly actorRateLimitPolicy: RateLimitPolicy | null;
  readonly auditRetentionMs: number | null;
}

export interface Tenant extends TenantAttributes {
  readonly tenantId: string;
  /** Prefixes that were replaced. Their keys still verify. */
  readonly retiredPrefixes: readonly string[];
  readonly suspended: boolean;
  /** Whether an actor may have its own limit. Never reset to false, so that no limit is missed. */
  readonly hasActorLimits: boolean;
  /** How often the tenant got a `maxKeys` of its own. 0 in a record of an earlier version, which did not count this. */
  readonly quotaCount: number;
  /** Null for the tenant `default` until its first change. */
  readonly createTimeMs: number | null;
  readonly updateTimeMs: number | null;
}

const unsetAttributes: TenantAttributes = {
  displayName: "",
  hosts: [],
  keyPrefix: "",
  issuer: "",
  defaultTtlMs: null,
  maxTtlMs: null,
  maxKeys: null,
  failedVerifyLimit: null,
  actorRateLimitPolicy: null,
  auditRetentionMs: null,
};

/** A tenant that was never changed. */
export function unchangedTenant(tenantId: string): Tenant {
  return {
    ...unsetAttributes,
    tenantId,
    retiredPrefixes: [],
    suspended: false,
    hasActorLimits: false,
    quotaCount: 0,
    createTimeMs: null,
    updateTimeMs: null,
  };
}

/** Returns the tenant after a change. */
export function changedTenant(tenant: Tenant, change: Partial<Tenant>): Tenant {
  const changed = { ...tenant, ...change };
  return tenant.maxKeys === null && changed.maxKeys !== null ? { ...changed, quotaCount: tenant.quotaCount + 1 } : changed;
}

/**
 * Returns when the tenant began. Tokens from before it are of an earlier tenant of the same name. 0 for the tenant `default`, which was
 * there before its record and cannot be deleted, and for a tenant without a record.
 */
export function tenantStartMs({ tenantId, createTimeMs }: Tenant): number {
  return tenantId === defaultTenant ? 0 : (createTimeMs ?? 0);
}

const idShape = /^[a-z0-9-]{1,63}$/;

export function isTenantId(text: string): boolean {
  return idShape.test(text);
}

/** Returns whether the text can be the `iss` value of RFC 8414: an http or https URL without query, fragment and user info. */
export function isIssuer(text: string): boolean {
  return /^https?:$/.test(URL.parse(text)?.protocol ?? "") && !/[?#@]/.test(text);
}

/** The id of the record of a tenant (core/setting-record.ts): with `Z` for each hyphen. */
export function tenantRecordId(tenantId: string): string {
  return settingRecordId("tenant", tenantId.replaceAll("-", "Z"));
}

/** The tenant whose record has this id. Null for ids of keys. */
export function tenantIdOfRecordId(recordId: string): string | null {
  const text = settingTextOf("tenant", recordId);
  return text === null ? null : text.replaceAll("Z", "-");
}

/** The first record of a tenant. */
export function newTenantRecord(tenant: Tenant, nowMs: number): KeyRecord {
  return { ...newSettingRecord("tenant", tenantRecordId(tenant.tenantId), nowMs), ...tenantFields(tenant) };
}

/** The fields of the record that hold the tenant's changeable data. */
export function tenantFields(tenant: Tenant): Pick<KeyRecord, "name" | "rateLimitPolicy" | "metadata"> {
  const { displayName, failedVerifyLimit, createTimeMs: _, updateTimeMs: __, hosts, retiredPrefixes, ...rest } = tenant;
  const { actorRateLimitPolicy: policy, ...plain } = rest;
  // JSON has no 64-bit integers.
  const actorRateLimitPolicy = policy === null ? null : { ...policy, quota: String(policy.quota) };
  const metadata: JsonObject = { ...plain, hosts: [...hosts], retiredPrefixes: [...retiredPrefixes], actorRateLimitPolicy };
  return { name: displayName, rateLimitPolicy: failedVerifyLimit, metadata };
}

/** The content that `tenantFields` writes. Records of an earlier version lack newer fields. */
interface StoredTenant
  extends Omit<Tenant, "displayName" | "failedVerifyLimit" | "createTimeMs" | "updateTimeMs" | "actorRateLimitPolicy"> {
  readonly actorRateLimitPolicy?: (Omit<RateLimitPolicy, "quota"> & { readonly quota: string }) | null;
}

/** Records do not change, so each is parsed once. */
export const tenantOfRecord = memoized(parseTenant, new WeakMap<KeyRecord, Tenant>());

function parseTenant(record: KeyRecord): Tenant {
  const { name, rateLimitPolicy, metadata, createTimeMs, updateTimeMs } = record;
  const { actorRateLimitPolicy: policy = null, ...rest } = metadata as unknown as StoredTenant;
  return {
    ...unchangedTenant(rest.tenantId),
    ...rest,
    displayName: name,
    failedVerifyLimit: rateLimitPolicy,
    actorRateLimitPolicy: policy === null ? null : { ...policy, quota: BigInt(policy.quota) },
    createTimeMs,
    updateTimeMs,
  };
}

const noHoldings: readonly string[] = [];

/** Values that no two tenants share: hosts, and key prefixes in use or retired. They may contain any characters. Keys have none. */
export function holdingsOf(record: KeyRecord): readonly string[] {
  if (record.kind !== "tenant") return noHoldings;
  const tenant = tenantOfRecord(record);
  return [...new Set([...tenant.hosts.map((host) => `host ${host}`), ...prefixesOf(tenant).map((prefix) => `prefix ${prefix}`)])];
}

/** All prefixes of the tenant's keys, including those of public keys. */
export function prefixesOf({ keyPrefix, retiredPrefixes }: Pick<Tenant, "keyPrefix" | "retiredPrefixes">): string[] {
  return [keyPrefix, ...retiredPrefixes].filter((prefix) => prefix !== "").flatMap((prefix) => [prefix, publicPrefixOf(prefix)]);
}
