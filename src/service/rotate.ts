import type { Origin } from "../core/audit.ts";
import { type KeyAttributes, type KeyRecord, stateAt } from "../core/key.ts";
import { overridableFields } from "../core/key-fields.ts";
import { Failure } from "../error/failure.ts";
import type { RequestMark } from "../ports/key-store.ts";
import { auditEvent, changedFields } from "./audit.ts";
import { maxAttempts } from "./change.ts";
import { mintKey } from "./issue.ts";
import type { KeyService } from "./key-service.ts";
import { recordOfRequest } from "./new-key.ts";
import { type Rotation, rotationMark } from "./rotation-mark.ts";

export interface RotateRequest extends Rotation {
  /** Throws if the caller may not rotate this key in this way. */
  readonly check: (record: KeyRecord) => void;
}

export interface Rotated {
  readonly successor: KeyRecord;
  readonly retired: KeyRecord;
  /** Null if the request id was replayed: a secret is shown only once. */
  readonly secret: string | null;
}

/**
 * Replaces an active issued key by a new one. The new key inherits the actor, the expiry and everything that is not overridden. In the same
 * step the old key is revoked, or expires at the end of the grace period. Of concurrent rotations one succeeds; the others reject with
 * KEY_NOT_ACTIVE. Rejects with REQUEST_ID_REUSED if the request id was used with a different payload.
 */
export async function rotateKey(service: KeyService, tenant: string, origin: Origin, request: RotateRequest): Promise<Rotated> {
  const { keyId, overrides } = request;
  const mark = rotationMark(request);
  for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
    const announce = service.announcer.beginChange(tenant, keyId);
    // In this order: if the record shows a rotation, the request that made it can be found.
    const record = await service.store.get(tenant, keyId);
    const successorBefore = mark === null ? null : await replayed(service, tenant, mark);
    if (record === null || record.kind !== "issued") throw new Failure("KEY_NOT_FOUND");
    request.check(record);
    if (successorBefore !== null) {
      // The first request may have ended before it announced the change, but this response says that the change holds.
      await announce(record, record.revision);
      return { successor: successorBefore, retired: record, secret: null };
    }
    const refusal = whyNotRotatable(record, service.clock());
    if (refusal !== null) {
      // The same: it may be an earlier attempt of this call that rotated the key.
      await announce(record, record.revision);
      throw refusal;
    }

    const minted = successorOf(service, tenant, record, request);
    const { record: successor } = minted;
    const retired = retiredOf(record, successor, request.graceMs);
    const event = auditEvent(service, origin, [keyId, successor.keyId], {
      changedFields: changedFields(overridableFields, record, overrides),
      revocationReason: retired.revocation?.reason ?? null,
    });
    if (await service.store.rotate(tenant, retired, successor, event, mark)) {
      await announce(retired, retired.revision);
      return { successor, retired, secret: minted.secret };
    }
  }
  throw new Failure("CONCURRENT_CHANGE");
}

/** The key that an earlier request with this id created. */
async function replayed({ store }: KeyService, tenant: string, mark: RequestMark): Promise<KeyRecord | null> {
  const used = await store.findRequest(tenant, "issued", mark.requestId);
  if (used === null) return null;
  const record = recordOfRequest(used, mark);
  if (record instanceof Failure) throw record;
  return record;
}

function whyNotRotatable(record: KeyRecord, nowMs: number): Failure | null {
  const state = stateAt(record, nowMs);
  if (state !== "active") return new Failure("KEY_NOT_ACTIVE", { message: `the key is ${state}` });
  if (record.supersededBy === null) return null;
  return new Failure("KEY_NOT_ACTIVE", {
    message: "the key was rotated already and is within its grace period; rotate its successor instead",
  });
}

function successorOf(service: KeyService, tenant: string, record: KeyRecord, { overrides, ttlMs }: RotateRequest) {
  const { visibility = record.visibility, ...attributes } = overrides;
  const minted = mintKey(service, tenant, {
    attributes: { ...attributesOf(record), ...attributes },
    actorId: record.actorId,
    visibility,
    ttlMs,
    requestId: null,
  });
  const expireTimeMs = ttlMs === null ? inheritedExpiry(service, tenant, record, minted.record) : minted.record.expireTimeMs;
  return { secret: minted.secret, record: { ...minted.record, expireTimeMs, lineageId: record.lineageId } };
}

/** The expiry of the old key, but within the longest life that the tenant allows now. */
function inheritedExpiry({ tenantSettings }: KeyService, tenant: string, { expireTimeMs }: KeyRecord, { createTimeMs }: KeyRecord) {
  const { maxTtlMs } = tenantSettings.of(tenant);
  return maxTtlMs === null ? expireTimeMs : Math.min(expireTimeMs ?? Number.POSITIVE_INFINITY, createTimeMs + maxTtlMs);
}

/** The old key: revoked, or active until the end of the grace period, but never longer than before. */
function retiredOf(record: KeyRecord, { keyId, createTimeMs }: KeyRecord, graceMs: number): KeyRecord {
  const retired = { ...record, revision: record.revision + 1, updateTimeMs: createTimeMs, supersededBy: keyId };
  if (graceMs === 0) return { ...retired, revocation: { reason: "superseded", description: "" } };
  return { ...retired, expireTimeMs: Math.min(record.expireTimeMs ?? Number.POSITIVE_INFINITY, createTimeMs + graceMs) };
}

function attributesOf({ name, scopes, metadata, rateLimitPolicy, allowedCidrs }: KeyRecord): KeyAttributes {
  return { name, scopes, metadata, rateLimitPolicy, allowedCidrs };
}
