import type { Call, Interceptor } from "../../call/call.ts";
import type { Tenant } from "../../core/tenant.ts";
import { Failure } from "../../error/failure.ts";
import type { TenantDirectory } from "../../service/tenants/tenant-directory.ts";

/**
 * Reads the current record of the call's tenant, which everything that follows uses. Refuses an unknown tenant, a host that the tenant no
 * longer has, and changes while it is suspended. `isChange` returns whether a method is such a change. A public method does not reveal that
 * a tenant is suspended before the caller has proven that it has a key of the tenant (`selfRevokeKey`).
 */
export function currentTenant(directory: Pick<TenantDirectory, "current">, isChange: (call: Call) => boolean): Interceptor {
  const check = (call: Call, tenant: Tenant | null): void => {
    if (tenant === null) throw new Failure(call.caller === undefined ? "TENANT_DENIED" : "TENANT_NOT_FOUND");
    if (call.isTenantOfHost && !tenant.hosts.includes(call.host)) throw new Failure("TENANT_DENIED");
    if (tenant.suspended && call.caller !== undefined && isChange(call)) throw new Failure("TENANT_SUSPENDED");
  };
  return (next) => (request, call) => {
    // Methods about all tenants have no tenant.
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
