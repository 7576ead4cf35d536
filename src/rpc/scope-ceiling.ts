import type { Call } from "../call/call.ts";
import type { KeyAttributes, KeyRecord } from "../core/key.ts";
import { checkRateLimit, checkScopes, type ScopeCeiling } from "../core/scope-ceiling.ts";
import { Failure } from "../error/failure.ts";

/** Returns the caller's ceiling. */
export function ceilingOf({ caller }: Pick<Call, "caller">): ScopeCeiling {
  return caller?.scopeCeiling ?? null;
}

/** Throws PERMISSION_DENIED if the caller may not grant these attributes to a new key. */
export function checkNewKey(call: Pick<Call, "caller">, { scopes }: Pick<KeyAttributes, "scopes">): void {
  checkScopes(ceilingOf(call), scopes, "scopes");
}

/** Throws PERMISSION_DENIED if the caller may not write these attributes to the key. `path` is prepended to the field names. */
export function checkChange(ceiling: ScopeCeiling, record: KeyRecord, attributes: Partial<KeyAttributes>, path = ""): void {
  if (attributes.scopes !== undefined) checkScopes(ceiling, attributes.scopes, `${path}scopes`);
  if (attributes.rateLimitPolicy !== undefined) {
    checkRateLimit(ceiling, record.rateLimitPolicy, attributes.rateLimitPolicy, `${path}rate_limit_policy`);
  }
}

/** The same for a rotation, whose caller gets a secret with all scopes of the new key, including inherited ones. */
export function checkRotation(ceiling: ScopeCeiling, record: KeyRecord, overrides: Partial<KeyAttributes>): void {
  checkChange(ceiling, record, { scopes: record.scopes, ...overrides });
}

/**
 * Refuses a caller with a ceiling. It may not lift a limit, and whether a change lifts one depends on limits that it does not see; nor may
 * it make keys usable whose scopes it does not see.
 */
export function refuseCeiling(call: Pick<Call, "caller">): void {
  if (ceilingOf(call) === null) return;
  throw new Failure("PERMISSION_DENIED", {
    message: "a caller with a scope ceiling may not change limits of actors or tenants, nor resume a tenant",
  });
}
