import type { DescMethod } from "@bufbuild/protobuf";
import type { Admission, Call, Caller } from "../../call/call.ts";
import { defaultTenant, tenantHeader } from "../../core/tenant.ts";
import { Failure, invalidField } from "../../error/failure.ts";
import type { TenantDirectory } from "../../service/tenants/tenant-directory.ts";
import { insufficientScope } from "./authenticate.ts";
import { inTenant } from "./grants.ts";

/** Resolves the tenant of each call that `admit` admits. */
export function resolveTenant(resolve: (call: Call) => void, admit: Admission): Admission {
  return (call) => {
    const admitted = admit(call);
    if (admitted instanceof Promise) return admitted.then(() => resolve(call));
    return resolve(call);
  };
}

/**
 * Determines the tenant of an admitted call: the caller's own if it is bound to one, otherwise that of the header `keywright-tenant`,
 * otherwise the tenant with the call's host, otherwise `default`. Refuses sources that disagree, and tenants that the caller may not act
 * for, whether they exist or not. `isOfInstallation` returns true for methods about all tenants, which only a caller for all tenants may
 * call. `isOfCaller` returns true for methods about the caller, which have no tenant.
 */
export function createTenantResolver(
  directory: Pick<TenantDirectory, "hasHosts" | "tenantOfHost">,
  { isOfInstallation, isOfCaller }: Record<"isOfInstallation" | "isOfCaller", (method: DescMethod) => boolean>,
): (call: Call) => void {
  return (call) => {
    const { caller } = call;
    if (isOfCaller(call.method)) return;
    if (caller !== undefined && isOfInstallation(call.method)) {
      if (caller.tenants !== "*") throw denied(call, "only a caller that acts for all tenants may call this method");
      return;
    }
    const ofHost = directory.hasHosts ? directory.tenantOfHost(call.host) : undefined;
    const tenant = caller === undefined ? undefined : tenantOfCaller(call, caller, ofHost);
    call.isTenantOfHost = tenant === undefined && ofHost !== undefined;
    call.tenant = tenant ?? ofHost ?? defaultTenant;
    if (caller === undefined) return;
    const admitted = inTenant(caller, call.tenant);
    if (admitted === null) throw denied(call);
    call.caller = admitted;
  };
}

/** The tenant that the caller is bound to or names. Undefined if there is none. */
function tenantOfCaller(call: Call, { tenants }: Caller, ofHost: string | undefined): string | undefined {
  const bound = tenants !== "*" && tenants.length === 1 ? tenants[0] : undefined;
  const named = call.requestHeader(tenantHeader);
  if (bound !== undefined) {
    // Not "they disagree", because that would reveal which tenants exist.
    if ((named ?? bound) !== bound || (ofHost ?? bound) !== bound) throw denied(call);
    return bound;
  }
  if (named === undefined) return undefined;
  if (tenants !== "*" && !tenants.includes(named)) throw denied(call);
  if (ofHost !== undefined && ofHost !== named) {
    // A caller that may act for both learns nothing from this.
    if (tenants !== "*" && !tenants.includes(ofHost)) throw denied(call);
    throw invalidField(tenantHeader, "names another tenant than the host of the call");
  }
  return named;
}

function denied(call: Call, message?: string): Failure {
  call.setResponseHeader(...insufficientScope);
  return new Failure("TENANT_DENIED", message === undefined ? {} : { message });
}
