import { SignJWT } from "jose";
import { msPerSecond } from "./facts.ts";
import type { TokenKeys } from "./jwk-set.ts";
import { canonicalJws } from "./signature.ts";

/** The content of an identity token: the key that a gateway accepted. */
export interface Identity {
  readonly issuer: string;
  /** The service that the token is for. */
  readonly audience: string;
  readonly tenant: string;
  readonly keyId: string;
  /** Empty if the key has no actor. */
  readonly actorId: string;
  readonly scopes: readonly string[];
}

/** The type in the header prevents the token from being used as a derived token or an access token (RFC 8725, section 3.11). */
const identityType = "keywright-identity+jwt";

/**
 * Signs an identity token with the current signing key. Claims have the same names as in derived tokens. Times are rounded down to whole
 * seconds. Identity tokens never verify here: derived tokens have another type and no `aud`.
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
