import type { Call, Interceptor } from "../../call/call.ts";
import type { Tenant } from "../../core/tenant.ts";
import { Failure } from "../../error/failure.ts";
import type { TenantDirectory } from "../../service/tenant-directory.ts";

/**
 * Asks for the current record of the call's tenant, so that all that follows goes by it. Refuses a tenant that is not there, a host that it
 * no longer has, and changes while it is suspended. `isChange` tells the methods that are refused then. A public method does not say that a
 * tenant is suspended before the caller has proven that it has a key of it (`selfRevokeKey`).
 */
export function currentTenant(directory: Pick<TenantDirectory, "current">, isChange: (call: Call) => boolean): Interceptor {
  const check = (call: Call, tenant: Tenant | null): void => {
    if (tenant === null) throw new Failure(call.caller === undefined ? "TENANT_DENIED" : "TENANT_NOT_FOUND");
    if (call.isTenantOfHost && !tenant.hosts.includes(call.host)) throw new Failure("TENANT_DENIED");
    if (tenant.suspended && call.caller !== undefined && isChange(call)) throw new Failure("TENANT_SUSPENDED");
  };
  return (next) => (request, call) => {
    // Methods about all tenants have none.
    if (call.tenant === undefined) return next(request, call);
    const tenant = directory.current(call.tenant);
    if (tenant instanceof Promise) {
      return tenant.then((found) => {
        check(call, found);
        return next(request, call);
      });
    }
    check(call, tenant);
    return next(request, call);
  };
}
