import type { Origin } from "../core/audit.ts";
import { type KeyAttributes, type KeyOverrides, type KeyRecord, statusAt } from "../core/key.ts";
import { Failure } from "../error/failure.ts";
import { auditEvent, changedFields } from "./audit.ts";
import { mintKey } from "./issue.ts";
import type { KeyService } from "./key-service.ts";

export interface RotateRequest {
  readonly keyId: string;
  /** What the new key does not inherit. */
  readonly overrides: KeyOverrides;
  /** Throws if the caller may not rotate this key in this way. */
  readonly check: (record: KeyRecord) => void;
}

export interface Rotated {
  readonly successor: KeyRecord;
  readonly retired: KeyRecord;
  readonly secret: string;
}

const maxAttempts = 50;

/**
 * Replaces an active issued key by a new one, which inherits actor, expiry and whatever is not overridden, and revokes the old one in the
 * same step. Of concurrent rotations one wins, the others find the key revoked: KEY_NOT_ACTIVE.
 */
export async function rotateKey(
  service: KeyService,
  tenant: string,
  origin: Origin,
  { keyId, overrides, check }: RotateRequest,
): Promise<Rotated> {
  for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
    const announce = service.announcer.beginChange(tenant, keyId);
    const record = await service.store.get(tenant, keyId);
    if (record === null || record.kind !== "issued") throw new Failure("KEY_NOT_FOUND");
    const status = statusAt(record, service.clock());
    if (status !== "active") throw new Failure("KEY_NOT_ACTIVE", { message: `the key is ${status}` });

    check(record);

    const { visibility = record.visibility, ...attributes } = overrides;
    const minted = mintKey(service, tenant, {
      attributes: { ...attributesOf(record), ...attributes },
      actorId: record.actorId,
      visibility,
      ttlMs: null,
      requestId: null,
    });
    const successor: KeyRecord = { ...minted.record, expireTimeMs: record.expireTimeMs };
    const retired: KeyRecord = {
      ...record,
      revision: record.revision + 1,
      updateTimeMs: successor.createTimeMs,
      revocation: { reason: "superseded", description: "" },
    };
    const event = auditEvent(service, origin, [keyId, successor.keyId], {
      changedFields: changedFields(record, overrides),
      revocationReason: "superseded",
    });
    if (await service.store.rotate(tenant, retired, successor, event)) {
      await announce(retired, retired.revision);
      return { successor, retired, secret: minted.secret };
    }
  }
  throw new Failure("CONCURRENT_CHANGE");
}

function attributesOf({ name, scopes, metadata, rateLimitPolicy, allowedCidrs }: KeyRecord): KeyAttributes {
  return { name, scopes, metadata, rateLimitPolicy, allowedCidrs };
}
