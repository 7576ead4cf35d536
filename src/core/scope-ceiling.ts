import { Failure } from "../error/failure.ts";
import type { RateLimitPolicy } from "./key.ts";

/** Scopes that a caller may give to keys and tokens. Null: all. */
export type ScopeCeiling = readonly string[] | null;

/** Throws PERMISSION_DENIED if a scope lies beyond the ceiling. `field` is the path of the scopes in the request. */
export function checkScopes(ceiling: ScopeCeiling, scopes: readonly string[], field: string): void {
  if (ceiling === null) return;
  const index = scopes.findIndex((scope) => !ceiling.includes(scope));
  if (index !== -1) throw beyond(`${field}[${index}]`, "beyond the scope ceiling of the caller");
}

/**
 * Throws PERMISSION_DENIED if a caller with a ceiling would lift a rate limit: remove it, or replace it by one that admits more in one
 * window or over time, or that counts another unit.
 */
export function checkRateLimit(ceiling: ScopeCeiling, old: RateLimitPolicy | null, wanted: RateLimitPolicy | null, field: string): void {
  if (ceiling === null || old === null) return;
  if (wanted === null || isHigher(wanted, old))
    throw beyond(field, "must not lift the rate limit of the key: the caller has a scope ceiling");
}

function isHigher(wanted: RateLimitPolicy, old: RateLimitPolicy): boolean {
  if (wanted.unit !== old.unit || wanted.quota > old.quota) return true;
  return wanted.quota * BigInt(old.windowMs) > old.quota * BigInt(wanted.windowMs);
}

function beyond(field: string, description: string): Failure {
  return new Failure("PERMISSION_DENIED", { message: `${field}: ${description}`, violations: [{ field, description }] });
}
