import type { Admission, Call, Caller } from "../../call/call.ts";
import { Failure } from "../../error/failure.ts";
import type { Clock } from "../../ports/clock.ts";
import type { JwtCallers, JwtRefusal } from "./jwt-callers.ts";
import { bearerTokenOf, callerOfToken, type KnownToken } from "./known-tokens.ts";
import type { AccessOf } from "./permissions.ts";

/** Who may call, as the configuration says it at this moment. */
export interface Callers {
  readonly tokens: readonly KnownToken[];
  /** Null if no issuer is configured. */
  readonly jwts: JwtCallers | null;
  readonly accessOf: AccessOf;
}

/** The challenge to a caller that may not do what it asks for (RFC 6750, section 3.1). */
export const insufficientScope = ["www-authenticate", 'Bearer realm="keywright", error="insufficient_scope"'] as const;

type Found = Caller | JwtRefusal;

/**
 * Authenticates the caller by `Authorization: Bearer` (RFC 6750) and refuses callers whose roles may not call the method. A method whose
 * access is undefined is refused to everyone. Only a JWT that was not seen before takes a promise.
 */
export function authenticate(current: () => Callers, clock: Clock): Admission {
  return (call) => {
    const callers = current();
    const allowed = callers.accessOf(call.method);
    if (allowed === "public") return;

    const token = bearerTokenOf(call.requestHeader("authorization"));
    if (token === undefined) throw unauthenticated(call, 'Bearer realm="keywright"');
    const found = callerOf(callers, token, clock);
    if (found instanceof Promise) return found.then((outcome) => authorize(call, outcome, allowed));
    authorize(call, found, allowed);
  };
}

/** A token of the configuration, or else a JWT of an issuer. */
function callerOf({ tokens, jwts }: Callers, token: string, clock: Clock): Found | Promise<Found> {
  return callerOfToken(tokens, token, clock) ?? jwts?.callerOf(token) ?? "invalid";
}

function authorize(call: Call, found: Found, allowed: readonly string[] | undefined): void {
  if (found === "unavailable") throw new Failure("ISSUER_UNAVAILABLE");
  if (found === "invalid") throw unauthenticated(call, 'Bearer realm="keywright", error="invalid_token"');
  call.caller = "unmatched" in found ? { name: found.unmatched, roles: [], tenants: [], scopeCeiling: [] } : found;
  if (allowed !== undefined && call.caller.roles.some((role) => allowed.includes(role))) return;
  call.setResponseHeader(...insufficientScope);
  throw new Failure("PERMISSION_DENIED");
}

function unauthenticated(call: Call, challenge: string): Failure {
  call.setResponseHeader("www-authenticate", challenge);
  return new Failure("UNAUTHENTICATED");
}

/** Whether an Authorization header holds a token with the role `admin`. */
export async function isAdmin(callers: Callers, authorization: string | undefined, clock: Clock): Promise<boolean> {
  const token = bearerTokenOf(authorization);
  const found = token === undefined ? "invalid" : await callerOf(callers, token, clock);
  return typeof found !== "string" && "roles" in found && found.roles.includes("admin");
}
