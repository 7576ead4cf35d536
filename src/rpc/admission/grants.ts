import type { Caller, Grant } from "../../call/call.ts";

/** Returns a caller with these grants; at least one. */
export function callerWith(name: string, grants: readonly Grant[]): Caller {
  const [first, ...others] = grants;
  if (first !== undefined && others.length === 0) return { name, ...first };
  const tenants = grants.flatMap((grant) => grant.tenants);
  return {
    name,
    roles: [...new Set(grants.flatMap(({ roles }) => roles))],
    tenants: tenants.includes("*") ? "*" : [...new Set(tenants)],
    scopeCeiling: ceilingOf(grants),
    grants,
  };
}

/** A grant without a ceiling does not lift the ceiling of another. */
function ceilingOf(grants: readonly Grant[]): readonly string[] | null {
  const ceilings = grants.flatMap(({ scopeCeiling }) => (scopeCeiling === null ? [] : [scopeCeiling]));
  return ceilings.length === 0 ? null : [...new Set(ceilings.flat())];
}

/** Returns the caller with those of its grants that have one of the roles, or any role. Null if there is none. */
export function withRole(caller: Caller, allowed: "caller" | readonly string[]): Caller | null {
  if (allowed === "caller") return caller.roles.length === 0 ? null : caller;
  if (caller.grants === undefined) return hasRole(caller, allowed) ? caller : null;
  return filtered(caller, caller.grants, (grant) => hasRole(grant, allowed));
}

/** Returns the caller with those of its grants that apply to the tenant. Null if there is none. */
export function inTenant(caller: Caller, tenant: string): Caller | null {
  if (caller.grants === undefined) return holdsFor(caller, tenant) ? caller : null;
  return filtered(caller, caller.grants, (grant) => holdsFor(grant, tenant));
}

function filtered({ name }: Caller, grants: readonly Grant[], holds: (grant: Grant) => boolean): Caller | null {
  const left = grants.filter(holds);
  return left.length === 0 ? null : callerWith(name, left);
}

function hasRole({ roles }: Grant, allowed: readonly string[]): boolean {
  return roles.some((role) => allowed.includes(role));
}

function holdsFor({ tenants }: Grant, tenant: string): boolean {
  return tenants === "*" || tenants.includes(tenant);
}
