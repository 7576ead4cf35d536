import type { Admission, Call, Caller } from "../../call/call.ts";
import { Failure } from "../../error/failure.ts";
import type { Clock } from "../../ports/clock.ts";
import type { CertificateCallers } from "./certificate-callers.ts";
import { withRole } from "./grants.ts";
import type { JwtCallers } from "./jwt-callers.ts";
import { bearerTokenOf, callerOfToken, digestOf, type KnownToken } from "./known-tokens.ts";
import type { AccessOf } from "./permissions.ts";
import type { Refusal } from "./refusal.ts";

/** The callers of the current configuration. */
export interface Callers {
  readonly tokens: readonly KnownToken[];
  /** Null if no issuer is configured. */
  readonly jwts: JwtCallers | null;
  /** Null if no rule is configured. */
  readonly certificates: CertificateCallers | null;
  readonly accessOf: AccessOf;
}

const realm = 'Bearer realm="keywright"';
/** The challenge for a caller without permission for its request (RFC 6750, section 3.1). */
export const insufficientScope = ["www-authenticate", `${realm}, error="insufficient_scope"`] as const;

type Found = Caller | Refusal;

/**
 * Authenticates the caller by `Authorization: Bearer` (RFC 6750), or, only without that header, by its client certificate. Refuses callers
 * whose roles may not call the method. A method whose access is undefined is refused to everyone. Returns a promise only for a JWT that was
 * not seen before.
 */
export function authenticate(current: () => Callers, clock: Clock): Admission {
  return (call) => {
    const callers = current();
    const allowed = callers.accessOf(call.method);
    if (allowed === "public") return;

    const authorization = call.requestHeader("authorization");
    const found = authorization === undefined ? byCertificate(callers, call) : callerOf(callers, authorization, clock);
    if (found instanceof Promise) return found.then((outcome) => authorize(call, outcome, allowed));
    authorize(call, found, allowed);
  };
}

/** Returns the caller of a configured token, or of an issuer's JWT. */
function callerOf({ tokens, jwts }: Callers, authorization: string, clock: Clock): Found | Promise<Found> {
  const token = bearerTokenOf(authorization);
  if (token === undefined) return "missing";
  const digest = digestOf(token);
  return callerOfToken(tokens, digest, clock) ?? jwts?.callerOf(token, digest) ?? "invalid";
}

function byCertificate({ certificates }: Callers, call: Call): Found {
  return certificates?.callerOf(call) ?? "missing";
}

function authorize(call: Call, found: Found, allowed: "caller" | readonly string[] | undefined): void {
  if (found === "unavailable") throw new Failure("ISSUER_UNAVAILABLE");
  if (found === "missing") throw unauthenticated(call, realm);
  if (found === "invalid") throw unauthenticated(call, `${realm}, error="invalid_token"`);
  if ("certificate" in found) throw unauthenticated(call, realm, `the client certificate is not accepted (${found.certificate})`);
  call.caller = "unmatched" in found ? { name: found.unmatched, roles: [], tenants: [], scopeCeiling: [] } : found;
  const admitted = allowed === undefined ? null : withRole(call.caller, allowed);
  if (admitted !== null) {
    call.caller = admitted;
    return;
  }
  call.setResponseHeader(...insufficientScope);
  throw new Failure("PERMISSION_DENIED");
}

function unauthenticated(call: Call, challenge: string, message?: string): Failure {
  call.setResponseHeader("www-authenticate", challenge);
  return new Failure("UNAUTHENTICATED", message === undefined ? {} : { message });
}

/** Returns whether an Authorization header has a token with the role `admin`. */
export async function isAdmin(callers: Callers, authorization: string | undefined, clock: Clock): Promise<boolean> {
  const found = authorization === undefined ? "missing" : await callerOf(callers, authorization, clock);
  return typeof found !== "string" && "roles" in found && found.roles.includes("admin");
}
