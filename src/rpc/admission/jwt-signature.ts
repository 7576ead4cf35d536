import { setImmediate as nextTurn } from "node:timers/promises";
import {
  createLocalJWKSet,
  decodeProtectedHeader,
  errors,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from "jose";
import type { JsonObject } from "../../core/key.ts";
import { memoized } from "../../memoized.ts";
import type { Clock } from "../../ports/clock.ts";
import type { IssuerKeySet } from "../../ports/issuer-keys.ts";
import { isSignedBy } from "./jws.ts";

export const clockSkewMs = 30_000;
/**
 * Of a set with more keys that may have signed a token, those after these are not tried. Anybody can make a token that names none of them,
 * and it costs its share of a millisecond.
 */
const maxTriedKeys = 8;

/** The requirements of `signedClaims` on a token. */
export interface SignedClaimsOptions {
  readonly issuer: string;
  readonly audience: readonly string[];
  readonly algorithms: readonly string[];
}

/**
 * Returns the claims of a JWT. "unsigned" if no key of the set has signed it, "invalid" if its claims do not hold. Tries the keys that may
 * have signed it: several may have the same `kid`, and a token may have none (RFC 7515, section 4.1.4).
 */
export async function signedClaims(
  { issuer, audience, algorithms }: SignedClaimsOptions,
  keySet: IssuerKeySet,
  token: string,
  clock: Clock,
): Promise<JsonObject | "unsigned" | "invalid"> {
  const options = {
    issuer,
    audience: [...audience],
    algorithms: [...algorithms],
    clockTolerance: clockSkewMs / 1000,
    currentDate: new Date(clock()),
    requiredClaims: ["exp", "sub", "aud"],
  };
  const claims = await claimsBy(token, keyGetterOf(keySet), options);
  return claims instanceof errors.JWKSMultipleMatchingKeys ? claimsByOneOf(token, claims, options) : claims;
}

/** Tries the keys one after the other, and checks the claims only of a token that one of them has signed. */
async function claimsByOneOf(token: string, keys: errors.JWKSMultipleMatchingKeys, options: JWTVerifyOptions) {
  const { alg = "" } = decodeProtectedHeader(token);
  let triedCount = 0;
  for await (const key of keys) {
    if (triedCount === maxTriedKeys) break;
    // Many such tokens at once do not hold up the event loop for all their keys.
    if (triedCount > 0) await nextTurn();
    triedCount += 1;
    if (!isSignedBy(token, alg, key)) continue;
    const claims = await claimsBy(token, () => key, options);
    return claims instanceof errors.JWKSMultipleMatchingKeys ? "unsigned" : claims;
  }
  return "unsigned";
}

async function claimsBy(token: string, keyOf: JWTVerifyGetKey, options: JWTVerifyOptions) {
  try {
    const { payload } = await jwtVerify(token, keyOf, options);
    return payload as JsonObject;
  } catch (error) {
    if (error instanceof errors.JWKSMultipleMatchingKeys) return error;
    const isUnsigned = error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JWKSNoMatchingKey;
    // A caller with an invalid token must not learn which check failed.
    return isUnsigned ? "unsigned" : "invalid";
  }
}

/** jose imports each key once. */
const keyGetterOf = memoized(
  ({ keys }: IssuerKeySet) => createLocalJWKSet({ keys } as JSONWebKeySet),
  new WeakMap<IssuerKeySet, JWTVerifyGetKey>(),
);
