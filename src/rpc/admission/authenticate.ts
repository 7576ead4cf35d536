import type { Admission, Call, Caller } from "../../call/call.ts";
import { Failure } from "../../error/failure.ts";
import type { Clock } from "../../ports/clock.ts";
import { bearerTokenOf, callerOfToken, type KnownToken } from "./known-tokens.ts";
import type { AccessOf } from "./permissions.ts";

/** Who may call, as the configuration says it at this moment. */
export interface Callers {
  readonly tokens: readonly KnownToken[];
  readonly accessOf: AccessOf;
}

/**
 * Authenticates the caller by `Authorization: Bearer` (RFC 6750) and refuses callers whose roles may not call the method. A method whose
 * access is undefined is refused to everyone.
 */
export function authenticate(current: () => Callers, clock: Clock): Admission {
  return (call) => {
    const callers = current();
    const allowed = callers.accessOf(call.method);
    if (allowed === "public") return;

    const token = bearerTokenOf(call.requestHeader("authorization"));
    const caller = token === undefined ? undefined : callerOfToken(callers.tokens, token, clock);
    if (caller === undefined) {
      const challenge = token === undefined ? 'Bearer realm="keywright"' : 'Bearer realm="keywright", error="invalid_token"';
      call.setResponseHeader("www-authenticate", challenge);
      throw new Failure("UNAUTHENTICATED");
    }
    authorize(call, caller, allowed);
  };
}

function authorize(call: Call, caller: Caller, allowed: readonly string[] | undefined): void {
  call.caller = caller;
  if (allowed !== undefined && caller.roles.some((role) => allowed.includes(role))) return;
  call.setResponseHeader("www-authenticate", 'Bearer realm="keywright", error="insufficient_scope"');
  throw new Failure("PERMISSION_DENIED");
}

/** Whether an Authorization header holds a token with the role `admin`. */
export function isAdmin({ tokens }: Callers, authorization: string | undefined, clock: Clock): boolean {
  const token = bearerTokenOf(authorization);
  return token !== undefined && callerOfToken(tokens, token, clock)?.roles.includes("admin") === true;
}
