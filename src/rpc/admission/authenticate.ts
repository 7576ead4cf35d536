import { hash, timingSafeEqual } from "node:crypto";
import type { DescMethod } from "@bufbuild/protobuf";
import type { Admission, Caller } from "../../call/call.ts";
import type { Role } from "../../core/role.ts";
import { Failure } from "../../error/failure.ts";
import type { Access } from "../methods.ts";

/** A bearer token that is known by its SHA-256 only. */
export interface KnownToken {
  readonly name: string;
  readonly sha256: Uint8Array;
  readonly roles: readonly Role[];
  readonly tenants: "*" | readonly string[];
}

const bearer = /^bearer +([\w~+/.-]+=*) *$/i;

/**
 * Finds out who calls by `Authorization: Bearer` (RFC 6750) and refuses callers without a role that may call the method. A method whose
 * access is undefined is refused to everyone.
 */
export function authenticate(tokens: readonly KnownToken[], accessOf: (method: DescMethod) => Access | undefined): Admission {
  return (call) => {
    const allowed = accessOf(call.method);
    if (allowed === "public") return;

    const token = bearerTokenOf(call.requestHeader("authorization"));
    const caller = token === undefined ? undefined : callerOf(tokens, token);
    if (caller === undefined) {
      const challenge = token === undefined ? 'Bearer realm="keywright"' : 'Bearer realm="keywright", error="invalid_token"';
      call.setResponseHeader("www-authenticate", challenge);
      throw new Failure("UNAUTHENTICATED");
    }
    call.caller = caller;
    if (allowed === undefined || !caller.roles.some((role) => (allowed as readonly string[]).includes(role))) {
      call.setResponseHeader("www-authenticate", 'Bearer realm="keywright", error="insufficient_scope"');
      throw new Failure("PERMISSION_DENIED");
    }
  };
}

/** Whether an Authorization header holds a token with the role `admin`. */
export function isAdmin(tokens: readonly KnownToken[], authorization: string | undefined): boolean {
  const token = bearerTokenOf(authorization);
  return token !== undefined && callerOf(tokens, token)?.roles.includes("admin") === true;
}

function bearerTokenOf(authorization: string | undefined): string | undefined {
  return bearer.exec(authorization ?? "")?.[1];
}

/** Compares with every known token, so that the time taken says nothing about which one came close. */
function callerOf(tokens: readonly KnownToken[], token: string): Caller | undefined {
  // Not "buffer": Node allocates that one outside of its pool of small buffers, which costs more than the hash (bench/micro.ts).
  const sha256 = Buffer.from(hash("sha256", token, "binary"), "latin1");
  let caller: Caller | undefined;
  for (const known of tokens) {
    if (timingSafeEqual(sha256, known.sha256)) caller = known;
  }
  return caller;
}
