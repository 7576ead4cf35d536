import { timestampMs } from "@bufbuild/protobuf/wkt";
import { VerificationErrorCode, type VerifyApiKeyResponse } from "../../gen/keywright/v2alpha1/verification_pb.ts";
import { Failure } from "../error/failure.ts";

/** The members of RFC 7662, section 2.2. Members that are undefined are left out. */
export interface Introspection {
  readonly active: boolean;
  readonly scope?: string | undefined;
  readonly sub?: string | undefined;
  readonly client_id?: string | undefined;
  readonly exp?: number | undefined;
  readonly iat?: number | undefined;
  readonly iss?: string | undefined;
  readonly aud?: unknown;
  readonly jti?: string | undefined;
  readonly token_type?: string | undefined;
}

const jwtShape = /^[\w-]+\.([\w-]+)\.[\w-]+$/;

/**
 * The introspection of a verified credential. For an invalid credential it contains only that. Throws STORE_UNAVAILABLE if the credential
 * could not be verified. Claims are read only from a derived JWT; a key is its own `jti`.
 */
export function introspectionOf(verified: VerifyApiKeyResponse, credential: string): Introspection {
  if (verified.errorCode === VerificationErrorCode.VERIFICATION_ERROR_INTERNAL) throw new Failure("STORE_UNAVAILABLE");
  if (verified.isValid !== true) return { active: false };
  const claims = claimsOf(credential);
  // An imported key may have the shape of a JWT. Nobody can put its id into it, because the id is a keyed digest of the whole key.
  const { jti, iat, aud } = claims.key_id === verified.keyId ? claims : {};
  return {
    active: true,
    scope: verified.scopes.length === 0 ? undefined : verified.scopes.join(" "),
    sub: verified.actorId === "" ? undefined : verified.actorId,
    client_id: verified.keyId,
    exp: verified.expireTime === undefined ? undefined : Math.floor(timestampMs(verified.expireTime) / 1000),
    iat: typeof iat === "number" ? iat : undefined,
    iss: verified.issuer,
    aud,
    jti: typeof jti === "string" ? jti : verified.keyId,
    token_type: "Bearer",
  };
}

function claimsOf(credential: string): Readonly<Record<string, unknown>> {
  const payload = jwtShape.exec(credential)?.[1];
  if (payload === undefined) return {};
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString());
    return typeof claims === "object" && claims !== null ? (claims as Readonly<Record<string, unknown>>) : {};
  } catch {
    return {};
  }
}
