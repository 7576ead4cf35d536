import type { CallersService } from "../../../gen/keywright/v2alpha1/callers_service_pb.ts";
import type { Caller, Grant } from "../../call/call.ts";
import type { Implementation } from "../../call/methods.ts";
import { Failure } from "../../error/failure.ts";

export const whoAmI: Implementation<typeof CallersService.method.adminWhoAmI> = (_request, { caller }) => {
  if (caller === undefined) throw new Failure("UNAUTHENTICATED");
  return { name: caller.name, ...grantToMessage(caller), grants: grantsOf(caller).map(grantToMessage) };
};

function grantsOf(caller: Caller): readonly Grant[] {
  return caller.grants ?? [caller];
}

function grantToMessage({ roles, tenants, scopeCeiling }: Grant) {
  return {
    roles: [...roles],
    tenants: tenants === "*" ? ["*"] : [...tenants],
    scopeCeiling: scopeCeiling === null ? undefined : { scopes: [...scopeCeiling] },
  };
}
