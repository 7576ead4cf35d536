import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Duration, durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Tenant as TenantMessage, TenantSchema } from "../../../gen/keywright/v2alpha1/tenant_pb.ts";
import { keyPrefixShape, macaroonWord, publicPrefixOf } from "../../core/credential-shape.ts";
import { isIssuer, isTenantId, type Tenant, type TenantAttributes } from "../../core/tenant.ts";
import { invalidField } from "../../error/failure.ts";
import { enforcedPolicy } from "../actor-limits/message.ts";
import { durationToMs, rateLimitPolicyFromMessage, rateLimitPolicyToMessage, timeToMessage } from "../message.ts";

export function tenantToMessage(tenant: Tenant): MessageInitShape<typeof TenantSchema> {
  return {
    tenantId: tenant.tenantId,
    displayName: tenant.displayName,
    hosts: [...tenant.hosts],
    keyPrefix: tenant.keyPrefix,
    issuer: tenant.issuer,
    defaultTtl: durationToMessage(tenant.defaultTtlMs),
    maxTtl: durationToMessage(tenant.maxTtlMs),
    maxKeys: BigInt(tenant.maxKeys ?? 0),
    failedVerifyLimit: rateLimitPolicyToMessage(tenant.failedVerifyLimit),
    actorRateLimitPolicy: rateLimitPolicyToMessage(tenant.actorRateLimitPolicy),
    auditRetention: durationToMessage(tenant.auditRetentionMs),
    suspended: tenant.suspended,
    createTime: timeToMessage(tenant.createTimeMs),
    updateTime: timeToMessage(tenant.updateTimeMs),
  };
}

/** Reads and checks the attributes of a message. `usedPrefixes` are those of the installation, which no tenant may have. */
export function attributesOf(message: TenantMessage, usedPrefixes: readonly string[]): TenantAttributes {
  return {
    displayName: message.displayName,
    hosts: message.hosts.map(hostAt),
    keyPrefix: checkedPrefix(message.keyPrefix, usedPrefixes),
    issuer: checkedIssuer(message.issuer),
    defaultTtlMs: durationToMs(message.defaultTtl),
    maxTtlMs: durationToMs(message.maxTtl),
    maxKeys: Number(message.maxKeys) || null,
    failedVerifyLimit: rateLimitPolicyFromMessage(message.failedVerifyLimit),
    actorRateLimitPolicy:
      message.actorRateLimitPolicy === undefined ? null : enforcedPolicy(message.actorRateLimitPolicy, "tenant.actor_rate_limit_policy"),
    auditRetentionMs: durationToMs(message.auditRetention),
  };
}

export function checkTenantId(field: string, text: string): string {
  if (!isTenantId(text)) throw invalidField(field, "must be 1 to 63 lower-case letters, digits and hyphens");
  return text;
}

/** A name, an IPv4 address, or an IPv6 address in brackets, as in Host. */
const hostShape = /^(?:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])$/;

function hostAt(text: string, index: number): string {
  const host = text.toLowerCase();
  if (!hostShape.test(host)) throw invalidField(`tenant.hosts[${index}]`, "must be a host name without a port");
  return host;
}

function checkedPrefix(prefix: string, usedPrefixes: readonly string[]): string {
  if (prefix === "") return prefix;
  if (!keyPrefixShape.test(prefix) || prefix === macaroonWord) {
    throw invalidField("tenant.key_prefix", "must be one to three words of a-z and 0-9, joined by underscores");
  }
  if ([prefix, publicPrefixOf(prefix)].some((each) => usedPrefixes.includes(each)))
    throw invalidField("tenant.key_prefix", "is a prefix of the installation");
  return prefix;
}

function checkedIssuer(issuer: string): string {
  if (issuer === "" || isIssuer(issuer)) return issuer;
  throw invalidField("tenant.issuer", "must be an http or https URL without query, fragment and user name");
}

function durationToMessage(durationMs: number | null): Duration | undefined {
  return durationMs === null ? undefined : durationFromMs(durationMs);
}
