import { SignJWT } from "jose";
import { msPerSecond } from "./facts.ts";
import type { TokenKeys } from "./jwk-set.ts";
import { canonicalJws } from "./signature.ts";

/** What an identity token states: whose key a gateway let pass. */
export interface Identity {
  readonly issuer: string;
  /** The service that the token is for. */
  readonly audience: string;
  readonly tenant: string;
  readonly keyId: string;
  /** Empty: the key has no actor. */
  readonly actorId: string;
  readonly scopes: readonly string[];
}

/** The type in the header keeps the token from being taken for a derived token or an access token (RFC 8725, section 3.11). */
export const identityType = "keywright-identity+jwt";

/**
 * Signs an identity token with the current signing key. Claims have the names that derived tokens have. Times are rounded down to whole
 * seconds. Nothing verifies with an identity token: derived tokens have another type and no `aud`.
 */
export async function signIdentity({ signer }: TokenKeys, identity: Identity, nowMs: number, expireTimeMs: number): Promise<string> {
  const { issuer, audience, tenant, keyId, actorId, scopes } = identity;
  const claims = {
    iss: issuer,
    sub: actorId === "" ? keyId : actorId,
    aud: audience,
    iat: Math.floor(nowMs / msPerSecond),
    exp: Math.floor(expireTimeMs / msPerSecond),
    key_id: keyId,
    tenant,
    ...(scopes.length === 0 ? {} : { scope: scopes.join(" ") }),
    ...(actorId === "" ? {} : { actor_id: actorId }),
  };
  const jwt = await new SignJWT(claims)
    .setProtectedHeader({ alg: signer.algorithm, typ: identityType, kid: signer.kid })
    .sign(signer.privateKey);
  return canonicalJws(signer.algorithm, jwt);
}
