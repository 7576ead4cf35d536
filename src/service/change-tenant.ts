import { isDeepStrictEqual } from "node:util";
import type { Origin } from "../core/audit.ts";
import type { KeyRecord } from "../core/key.ts";
import {
  defaultTenant,
  newTenantRecord,
  type Tenant,
  type TenantAttributes,
  tenantFields,
  tenantOfRecord,
  tenantRecordId,
  unchangedTenant,
} from "../core/tenant.ts";
import { Failure, invalidField } from "../error/failure.ts";
import { auditEvent } from "./audit.ts";
import type { KeyService } from "./key-service.ts";
import type { TenantDirectory } from "./tenant-directory.ts";

/** The parts that operations on tenants need. */
export interface TenantService {
  readonly keys: KeyService;
  readonly directory: TenantDirectory;
}

const maxAttempts = 50;

/** Attributes of tenants by their names in proto: what an update mask may name, and how the audit trail calls them. */
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
  await checkUnused(service, tenantId, attributes);
  const created = await insertTenant(service, origin, { ...unchangedTenant(tenantId), ...attributes });
  if (created === null) throw new Failure("TENANT_ALREADY_EXISTS");
  return created;
}

/** Writes attributes of a tenant. Rejects with TENANT_NOT_FOUND and as `createTenant` does. */
export async function updateTenant(
  service: TenantService,
  origin: Origin,
  tenantId: string,
  attributes: Partial<TenantAttributes>,
): Promise<Tenant> {
  await checkUnused(service, tenantId, attributes);
  return changeTenant(service, origin, tenantId, (tenant) => {
    checkTimes({ ...tenant, ...attributes });
    const { keyPrefix = tenant.keyPrefix } = attributes;
    const isReplaced = keyPrefix !== tenant.keyPrefix && tenant.keyPrefix !== "";
    const retired = isReplaced ? [...tenant.retiredPrefixes, tenant.keyPrefix] : tenant.retiredPrefixes;
    return { ...attributes, retiredPrefixes: retired.filter((prefix, index) => prefix !== keyPrefix && retired.indexOf(prefix) === index) };
  });
}

/** Notes that actors of the tenant have limits, before the first one gets one: every verification looks for one from then on. */
export async function noteActorLimits(service: TenantService, origin: Origin, tenantId: string): Promise<void> {
  if (service.keys.tenantSettings.of(tenantId).hasActorLimits) return;
  await changeTenant(service, origin, tenantId, ({ hasActorLimits }) => (hasActorLimits ? null : { hasActorLimits: true }));
}

/** Suspends a tenant or ends its suspension. */
export function setSuspended(service: TenantService, origin: Origin, tenantId: string, suspended: boolean): Promise<Tenant> {
  if (tenantId === defaultTenant && suspended) throw new Failure("TENANT_NOT_READY", { message: "the tenant default cannot be suspended" });
  return changeTenant(service, origin, tenantId, (tenant) => (tenant.suspended === suspended ? null : { suspended }));
}

/** Deletes a suspended tenant without keys. No key can come to it meanwhile, since a suspended tenant takes none. */
export async function deleteTenant({ keys, directory }: TenantService, origin: Origin, tenantId: string): Promise<void> {
  if (tenantId === defaultTenant) throw new Failure("TENANT_NOT_READY", { message: "the tenant default cannot be deleted" });
  const recordId = tenantRecordId(tenantId);
  const announce = keys.announcer.beginChange(defaultTenant, recordId);
  const record = await keys.store.get(defaultTenant, recordId);
  if (record === null) throw new Failure("TENANT_NOT_FOUND");
  if (!tenantOfRecord(record).suspended) throw new Failure("TENANT_NOT_READY", { message: "the tenant must be suspended first" });
  for (const [kind, name] of [
    ["issued", "keys"],
    ["imported", "keys"],
    ["actor_limit", "limits of actors"],
  ] as const) {
    const { records } = await keys.store.list(tenantId, { kind, nowMs: 0, limit: 1 });
    if (records.length > 0) throw new Failure("TENANT_NOT_READY", { message: `the tenant has ${name}` });
  }
  const revision = await keys.store.delete(defaultTenant, "tenant", recordId, auditEvent(keys, origin, [recordId]));
  if (revision === null) throw new Failure("TENANT_NOT_FOUND");
  await announce(null, revision);
  await directory.refresh();
}

/** As `changeKey` changes a key. The tenant `default` gets its record with its first change. */
async function changeTenant(
  service: TenantService,
  origin: Origin,
  tenantId: string,
  next: (tenant: Tenant) => Partial<Tenant> | null,
): Promise<Tenant> {
  const { keys, directory } = service;
  const recordId = tenantRecordId(tenantId);
  for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
    const announce = keys.announcer.beginChange(defaultTenant, recordId);
    const record = await keys.store.get(defaultTenant, recordId);
    if (record === null && tenantId !== defaultTenant) throw new Failure("TENANT_NOT_FOUND");
    const tenant = record === null ? unchangedTenant(tenantId) : tenantOfRecord(record);
    const change = next(tenant);
    if (record === null) {
      const created = await insertTenant(service, origin, { ...tenant, ...change });
      if (created !== null) return created;
      continue;
    }
    if (change === null) {
      await announce(record, record.revision);
      return tenant;
    }
    const changed: KeyRecord = {
      ...record,
      ...tenantFields({ ...tenant, ...change }),
      revision: record.revision + 1,
      updateTimeMs: keys.clock(),
    };
    const event = auditEvent(keys, origin, [recordId], { changedFields: changedFields(tenant, change) });
    if (await keys.store.replace(defaultTenant, changed, event)) {
      await announce(changed, changed.revision);
      await directory.refresh();
      return tenantOfRecord(changed);
    }
  }
  throw new Failure("CONCURRENT_CHANGE", { message: "another call changed the tenant at the same time; try again" });
}

/** Null if there is a tenant with this id. */
async function insertTenant({ keys, directory }: TenantService, origin: Origin, tenant: Tenant): Promise<Tenant | null> {
  const record = newTenantRecord(tenant, keys.clock());
  const announce = keys.announcer.beginChange(defaultTenant, record.keyId);
  const result = await keys.store.insert(defaultTenant, record, null, auditEvent(keys, origin, [record.keyId]));
  if (result.outcome !== "inserted") return null;
  await announce(result.record, result.record.revision);
  await directory.refresh();
  return tenantOfRecord(result.record);
}

function checkTimes({ defaultTtlMs, maxTtlMs }: TenantAttributes): void {
  if (defaultTtlMs !== null && maxTtlMs !== null && defaultTtlMs > maxTtlMs) {
    throw invalidField("tenant.default_ttl", "must not be longer than max_ttl");
  }
}

/** Not one step with the write: of two changes at the same moment both may get a host. The older tenant then has it. */
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

function changedFields(tenant: Tenant, change: Partial<Tenant>): string[] {
  const names = { ...tenantAttributeFields, suspended: "suspended", hasActorLimits: "has_actor_limits" } as const;
  return Object.entries(names)
    .filter(([name]) => {
      const field = name as keyof typeof names;
      return change[field] !== undefined && !isDeepStrictEqual(change[field], tenant[field]);
    })
    .map(([, protoName]) => protoName);
}
