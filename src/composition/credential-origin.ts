import { jwtShape, macaroonPrefix } from "../core/credential-shape.ts";
import { defaultTenant } from "../core/tenant.ts";
import type { Tokens } from "../core/token/tokens.ts";
import { isUlid, timeOfUlid } from "../core/ulid.ts";
import type { OriginOf } from "../introspection/introspection.ts";

/**
 * Reads when and for whom a credential was made: a token from its claims, if its signature is ours, and an issued key from its id. The
 * origin of an imported key is unknown here.
 */
export function createOriginOf(tokens: Pick<Tokens, "read">, clock: () => number): OriginOf {
  return (tenant, credential, keyId) => {
    const type = credential.startsWith(macaroonPrefix) ? "macaroon" : jwtShape.test(credential) ? "jwt" : null;
    const read = type === null ? "invalid_format" : tokens.read(tenant ?? defaultTenant, type, credential, clock());
    if (typeof read === "string") return { jti: keyId, iat: isUlid(keyId) ? seconds(timeOfUlid(keyId)) : undefined, aud: [] };
    const { facts, narrowing } = read.token;
    return { jti: facts.tokenId, iat: seconds(facts.issueTimeMs), aud: [...new Set(narrowing.audiences)] };
  };
}

function seconds(timeMs: number): number {
  return Math.floor(timeMs / 1000);
}
