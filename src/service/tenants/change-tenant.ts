import type { Origin } from "../../core/audit.ts";
import type { KeyRecord } from "../../core/key.ts";
import {
  changedTenant,
  defaultTenant,
  newTenantRecord,
  type Tenant,
  type TenantAttributes,
  tenantFields,
  tenantOfRecord,
  tenantRecordId,
  unchangedTenant,
} from "../../core/tenant.ts";
import { Failure, invalidField } from "../../error/failure.ts";
import { auditEvent, changedFields } from "../audit.ts";
import { maxAttempts } from "../change.ts";
import type { KeyService } from "../key-service.ts";
import type { TenantDirectory } from "./tenant-directory.ts";
import { removeLeftovers } from "./tenant-leftovers.ts";

/** The dependencies of operations on tenants. */
export interface TenantService {
  readonly keys: KeyService;
  readonly directory: TenantDirectory;
}

/** Each of them is compared in the verification of a key. */
const maxRetiredPrefixes = 20;

/** Attributes of tenants by their names in proto, for update masks and the audit trail. */
export const tenantAttributeFields = {
  displayName: "display_name",
  hosts: "hosts",
  keyPrefix: "key_prefix",
  issuer: "issuer",
  defaultTtlMs: "default_ttl",
  maxTtlMs: "max_ttl",
  maxKeys: "max_keys",
  failedVerifyLimit: "failed_verify_limit",
  actorRateLimitPolicy: "actor_rate_limit_policy",
  auditRetentionMs: "audit_retention",
} as const satisfies Record<keyof TenantAttributes, string>;

/** Rejects with TENANT_ALREADY_EXISTS, also if another tenant has one of its hosts or its key prefix. */
export async function createTenant(
  service: TenantService,
  origin: Origin,
  tenantId: string,
  attributes: TenantAttributes,
): Promise<Tenant> {
  if (tenantId === defaultTenant) throw new Failure("TENANT_ALREADY_EXISTS");
  checkTimes(attributes);
  const { keys } = service;
  const recordId = tenantRecordId(tenantId);
  if ((await keys.store.get(defaultTenant, recordId)) === null) {
    await removeLeftovers(keys, origin, tenantId);
    // A process that crashed while it deleted the keys of the earlier tenant did not announce its last deletions.
    if ((await keys.store.tombstoneRevision(defaultTenant, recordId)) !== null) await keys.announcer.announceUnknown();
  }
  const created = await insertTenant(service, origin, changedTenant(unchangedTenant(tenantId), attributes));
  if (created !== null) return created;
  await announceExisting(service, tenantId);
  await checkUnused(service, tenantId, attributes);
  throw new Failure("TENANT_ALREADY_EXISTS");
}

/** The caller that created the tenant may not have announced it, but the response says that it exists. */
async function announceExisting({ keys, directory }: TenantService, tenantId: string): Promise<void> {
  const recordId = tenantRecordId(tenantId);
  const announce = keys.announcer.beginChange(defaultTenant, recordId);
  const record = await keys.store.get(defaultTenant, recordId);
  if (record === null) return;
  await announce(record, record.revision);
  directory.note(tenantId, record);
}

/** Writes attributes of a tenant. Rejects with TENANT_NOT_FOUND, and as `createTenant` does. */
export async function updateTenant(
  service: TenantService,
  origin: Origin,
  tenantId: string,
  attributes: Partial<TenantAttributes>,
): Promise<Tenant> {
  return changeTenant(service, origin, tenantId, (tenant) => {
    checkTimes({ ...tenant, ...attributes });
    const { keyPrefix = tenant.keyPrefix } = attributes;
    const isReplaced = keyPrefix !== tenant.keyPrefix && tenant.keyPrefix !== "";
    const retired = isReplaced ? [...tenant.retiredPrefixes, tenant.keyPrefix] : tenant.retiredPrefixes;
    const retiredPrefixes = retired.filter((prefix, index) => prefix !== keyPrefix && retired.indexOf(prefix) === index);
    if (retiredPrefixes.length > maxRetiredPrefixes) {
      throw invalidField("tenant.key_prefix", `cannot be replaced more than ${maxRetiredPrefixes} times, as all of them still verify`);
    }
    return { ...attributes, retiredPrefixes };
  });
}

/**
 * Records that actors of the tenant have limits, before the first one gets one. From then on every verification looks for one. Rejects with
 * TENANT_SUSPENDED if the tenant is another one of the same name.
 */
export async function noteActorLimits(service: TenantService, origin: Origin, tenantId: string): Promise<void> {
  const firstRevision = service.keys.tenantSettings.firstRevisionOf(tenantId);
  await changeTenant(service, origin, tenantId, ({ hasActorLimits }, record) => {
    if (tenantId !== defaultTenant && record?.firstRevision !== firstRevision) throw new Failure("TENANT_SUSPENDED");
    return hasActorLimits ? null : { hasActorLimits: true };
  });
}

/** Suspends a tenant or ends its suspension. */
export function setSuspended(service: TenantService, origin: Origin, tenantId: string, suspended: boolean): Promise<Tenant> {
  if (tenantId === defaultTenant && suspended) throw new Failure("TENANT_NOT_READY", { message: "the tenant default cannot be suspended" });
  return changeTenant(service, origin, tenantId, (tenant) => (tenant.suspended === suspended ? null : { suspended }));
}

/** Like `changeKey` for keys. The tenant `default` gets its record with its first change. */
async function changeTenant(
  service: TenantService,
  origin: Origin,
  tenantId: string,
  next: (tenant: Tenant, record: KeyRecord | null) => Partial<Tenant> | null,
): Promise<Tenant> {
  const { keys, directory } = service;
  const recordId = tenantRecordId(tenantId);
  for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
    const announce = keys.announcer.beginChange(defaultTenant, recordId);
    const record = await keys.store.get(defaultTenant, recordId);
    if (record === null && tenantId !== defaultTenant) throw new Failure("TENANT_NOT_FOUND");
    const tenant = record === null ? unchangedTenant(tenantId) : tenantOfRecord(record);
    const change = next(tenant, record);
    if (record === null) {
      const created = await insertTenant(service, origin, changedTenant(tenant, change ?? {}));
      if (created !== null) return created;
      await checkUnused(service, tenantId, change ?? {});
      continue;
    }
    if (change === null) {
      await announce(record, record.revision);
      directory.note(tenantId, record);
      return tenant;
    }
    const changed: KeyRecord = {
      ...record,
      ...tenantFields(changedTenant(tenant, change)),
      revision: record.revision + 1,
      updateTimeMs: keys.clock(),
    };
    const event = auditEvent(keys, origin, [recordId], { changedFields: changedFields(comparedFields, tenant, change) });
    if (await keys.store.replace(defaultTenant, changed, event)) {
      await announce(changed, changed.revision);
      directory.note(tenantId, changed);
      return tenantOfRecord(changed);
    }
    await checkUnused(service, tenantId, change);
  }
  throw concurrentChange();
}

/** The error after too many attempts to write over the current record. */
export function concurrentChange(): Failure {
  return new Failure("CONCURRENT_CHANGE", { message: "another call changed the tenant at the same time; try again" });
}

/** Returns null if a tenant with this id, or with one of its hosts or prefixes, exists. */
async function insertTenant({ keys, directory }: TenantService, origin: Origin, tenant: Tenant): Promise<Tenant | null> {
  const record = newTenantRecord(tenant, keys.clock());
  const announce = keys.announcer.beginChange(defaultTenant, record.keyId);
  const result = await keys.store.insert(defaultTenant, record, null, auditEvent(keys, origin, [record.keyId]));
  if (result.outcome !== "inserted") return null;
  await announce(result.record, result.record.revision);
  directory.note(tenant.tenantId, result.record);
  return tenantOfRecord(result.record);
}

function checkTimes({ defaultTtlMs, maxTtlMs }: TenantAttributes): void {
  if (defaultTtlMs !== null && maxTtlMs !== null && defaultTtlMs > maxTtlMs) {
    throw invalidField("tenant.default_ttl", "must not be longer than max_ttl");
  }
}

/** Reports which host or prefix another tenant has. The store refuses the write in any case. */
async function checkUnused(
  { directory }: TenantService,
  tenantId: string,
  { hosts = [], keyPrefix = "" }: Partial<TenantAttributes>,
): Promise<void> {
  if (hosts.length === 0 && keyPrefix === "") return;
  await directory.refresh();
  const isTaken = (owner: string | undefined) => owner !== undefined && owner !== tenantId;
  const host = hosts.find((each) => isTaken(directory.tenantOfHost(each)));
  if (host !== undefined) throw new Failure("TENANT_ALREADY_EXISTS", { message: `another tenant has the host ${host}` });
  if (isTaken(directory.tenantOfPrefix(keyPrefix))) {
    throw new Failure("TENANT_ALREADY_EXISTS", { message: `another tenant has the key prefix ${keyPrefix}` });
  }
}

const comparedFields = { ...tenantAttributeFields, suspended: "suspended", hasActorLimits: "has_actor_limits" };
