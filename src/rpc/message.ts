import type { Message } from "@bufbuild/protobuf";
import { type Duration, durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ImportedApiKey } from "../../gen/keywright/v2alpha1/imported_api_key_pb.ts";
import type { IssuedApiKey } from "../../gen/keywright/v2alpha1/issued_api_key_pb.ts";
import { type IpRestriction, KeyStatus, KeyVisibility, type RateLimitPolicy } from "../../gen/keywright/v2alpha1/key_policy_pb.ts";
import { RevocationReason } from "../../gen/keywright/v2alpha1/revocation_pb.ts";
import { parseRange } from "../core/cidr.ts";
import type * as domain from "../core/key.ts";
import { statusAt } from "../core/key.ts";
import { withBoundedDepth } from "../core/metadata.ts";
import { invalidField, invalidRequest } from "../error/failure.ts";

export const statusToMessage = {
  active: KeyStatus.ACTIVE,
  revoked: KeyStatus.REVOKED,
  expired: KeyStatus.EXPIRED,
} as const satisfies Record<domain.KeyStatus, KeyStatus>;

export const visibilityToMessage = {
  secret: KeyVisibility.SECRET,
  public: KeyVisibility.PUBLIC,
} as const satisfies Record<domain.Visibility, KeyVisibility>;

const reasonsToMessage = {
  key_compromise: RevocationReason.KEY_COMPROMISE,
  affiliation_changed: RevocationReason.AFFILIATION_CHANGED,
  superseded: RevocationReason.SUPERSEDED,
  privilege_withdrawn: RevocationReason.PRIVILEGE_WITHDRAWN,
} as const satisfies Record<domain.RevocationReason, RevocationReason>;

/** The fields of a message, without those that protobuf-es adds. */
export type FieldsOf<T extends Message> = Omit<T, keyof Message>;

/** The resource of a key, issued or imported; both have the same fields. A missing field is a type error. */
export function keyToMessage(record: domain.KeyRecord, nowMs: number) {
  return {
    keyId: record.keyId,
    name: record.name,
    actorId: record.actorId,
    status: statusToMessageAt(record, nowMs),
    visibility: visibilityToMessage[record.visibility],
    scopes: [...record.scopes],
    metadata: structToMessage(record.metadata),
    rateLimitPolicy: rateLimitPolicyToMessage(record.rateLimitPolicy),
    ipRestriction: record.allowedCidrs.length > 0 ? { allowedCidrs: [...record.allowedCidrs] } : undefined,
    createTime: timestampFromMs(record.createTimeMs),
    updateTime: timestampFromMs(record.updateTimeMs),
    revocationReason: reasonToMessage(record.revocation?.reason ?? null),
    revocationDescription: record.revocation?.description ?? "",
    expireTime: timeToMessage(record.expireTimeMs),
    lastUsedTime: timeToMessage(record.lastUsedTimeMs),
    lineageId: record.lineageId,
    supersededBy: record.supersededBy ?? "",
    disabled: record.disabled,
  } satisfies Record<keyof FieldsOf<IssuedApiKey> | keyof FieldsOf<ImportedApiKey>, unknown>;
}

/** Metadata or claims, in a form that every client can read. */
export function structToMessage(object: domain.JsonObject | null) {
  return object === null ? undefined : withBoundedDepth(object);
}

export function timeToMessage(timeMs: number | null) {
  return timeMs === null ? undefined : timestampFromMs(timeMs);
}

export function statusToMessageAt(record: domain.KeyRecord, nowMs: number): KeyStatus {
  return statusToMessage[statusAt(record, nowMs)];
}

export function rateLimitPolicyToMessage(policy: domain.RateLimitPolicy | null) {
  return policy === null ? undefined : { quota: policy.quota, window: durationFromMs(policy.windowMs), unit: policy.unit };
}

export function rateLimitPolicyFromMessage(policy: RateLimitPolicy | undefined): domain.RateLimitPolicy | null {
  if (policy === undefined) return null;
  return { quota: policy.quota, windowMs: durationToMs(policy.window) ?? 0, unit: policy.unit || "requests" };
}

/** Throws INVALID_REQUEST, naming each entry that is not a range. `path` is prepended to the field names. */
export function cidrsFromMessage(restriction: IpRestriction | undefined, path: string): string[] {
  const texts = restriction?.allowedCidrs ?? [];
  const violations = texts.flatMap((text, index) => {
    const range = parseRange(text);
    return typeof range === "string" ? [{ field: `${path}ip_restriction.allowed_cidrs[${index}]`, description: range }] : [];
  });
  if (violations.length > 0) throw invalidRequest(violations);
  return [...texts];
}

/** UNSPECIFIED means SECRET, and so does a value that this release does not know. */
export function visibilityFromMessage(visibility: KeyVisibility): domain.Visibility {
  return nameOf(visibilityToMessage, visibility) ?? "secret";
}

export function reasonToMessage(reason: domain.RevocationReason | null): RevocationReason {
  return reason === null ? RevocationReason.UNSPECIFIED : reasonsToMessage[reason];
}

export function reasonFromMessage(reason: RevocationReason): domain.RevocationReason {
  const name = nameOf(reasonsToMessage, reason);
  if (name === undefined) throw invalidField("reason", "must be a known reason");
  return name;
}

function nameOf<Name extends string>(values: Readonly<Record<Name, number>>, value: number): Name | undefined {
  return (Object.keys(values) as Name[]).find((name) => values[name] === value);
}

/** Returns milliseconds, rounded down; null for an absent duration and for zero, which both mean the default. */
export function durationToMs(duration: Duration | undefined): number | null {
  if (duration === undefined) return null;
  return Number(duration.seconds) * 1000 + Math.trunc(duration.nanos / 1e6) || null;
}
