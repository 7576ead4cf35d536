import { ActorLimitsService } from "../../gen/keywright/v2alpha1/actor_limits_service_pb.ts";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { CallersService } from "../../gen/keywright/v2alpha1/callers_service_pb.ts";
import { HoldersService } from "../../gen/keywright/v2alpha1/holders_service_pb.ts";
import { TenantsService } from "../../gen/keywright/v2alpha1/tenants_service_pb.ts";
import type { Interceptor } from "../call/call.ts";
import { createMethodTable, type MethodTable } from "../call/methods.ts";
import type { KeyPrefixes } from "../core/credential.ts";
import type { SelfRevokeLimits } from "../limit/self-revoke-limits.ts";
import { createSelfInspect, type SelfInspectOptions } from "../service/self-inspect.ts";
import { refuseSuspended, refuseSuspendedMany } from "../service/tenants/suspension.ts";
import type { TenantDirectory } from "../service/tenants/tenant-directory.ts";
import type { Validation } from "../validation/violations.ts";
import { actorLimitImplementationsOf } from "./actor-limits/routes.ts";
import type { DeriveRpcOptions } from "./api-keys/derive-token.ts";
import { whoAmI } from "./callers/who-am-i.ts";
import { holderImplementationsOf } from "./holders/routes.ts";
import { currentTenant } from "./interceptors/current-tenant.ts";
import { noStore } from "./interceptors/no-store.ts";
import { validate } from "./interceptors/validate.ts";
import { hasSecret, isChange } from "./method-table.ts";
import { implementationsOf, type MethodParts } from "./routes.ts";
import { tenantImplementationsOf } from "./tenants/routes.ts";

export interface TableOptions extends Omit<MethodParts, "violationsOf" | "selfService" | "derivation"> {
  readonly verifyOptions: Omit<DeriveRpcOptions, "store" | "randomBytes"> & SelfInspectOptions;
  readonly selfRevokeLimits: SelfRevokeLimits;
  readonly directory: TenantDirectory;
  readonly validation: Validation;
  readonly keyPrefixes: KeyPrefixes;
  /** Interceptors around all others. */
  readonly outer: readonly Interceptor[];
}

/** The methods of all services, with their interceptors. */
export function createMethods({
  validation,
  directory,
  keyPrefixes,
  outer,
  verifyOptions,
  selfRevokeLimits,
  ...parts
}: TableOptions): MethodTable {
  const tenant = currentTenant(directory, ({ method }) => isChange(method));
  const interceptors = [...outer, noStore(hasSecret), tenant, validate(validation)];
  const { service, verification } = parts;
  const verify = refuseSuspended(service, verification.verify);
  const verifyMany = refuseSuspendedMany(service, verification.verifyMany);
  const usedPrefixes = [keyPrefixes.secret, keyPrefixes.public, ...keyPrefixes.retired];
  const selfService = { limits: selfRevokeLimits, directory };
  const derivation = { ...verifyOptions, store: service.store, randomBytes: service.randomBytes };
  const ofKeys = implementationsOf({
    ...parts,
    verification: { ...verification, verify, verifyMany },
    derivation,
    selfService,
    violationsOf: validation.violationsOf,
  });
  const { reportUnanswered } = verification;
  const ofHolders = holderImplementationsOf({ ...selfService, service, inspect: createSelfInspect(verifyOptions), reportUnanswered });
  const tenants = { keys: service, directory };
  const ofTenants = tenantImplementationsOf({ tenants, usedPrefixes });
  return new Map([
    ...createMethodTable(ApiKeysService, ofKeys, interceptors),
    ...createMethodTable(HoldersService, ofHolders, interceptors),
    ...createMethodTable(ActorLimitsService, actorLimitImplementationsOf(tenants), interceptors),
    ...createMethodTable(CallersService, { adminWhoAmI: whoAmI }, interceptors),
    ...createMethodTable(TenantsService, ofTenants, interceptors),
  ]);
}
