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
  readonly aud?: string | readonly string[] | undefined;
  readonly jti?: string | undefined;
  readonly token_type?: string | undefined;
}

/** The origin of a credential. Undefined members are unknown. */
export interface CredentialOrigin {
  /** Id of the token, or the key id of a key. */
  readonly jti: string;
  /** In seconds. */
  readonly iat: number | undefined;
  /** Audiences to which the credential is bound. */
  readonly aud: readonly string[];
}

/** Reads the origin of a valid credential. `tenant` is that of the call. */
export type OriginOf = (tenant: string | undefined, credential: string, keyId: string) => CredentialOrigin;

/**
 * The introspection of a verified credential. For an invalid credential it contains only that. Throws STORE_UNAVAILABLE if the credential
 * could not be verified. `originOf` is called for valid credentials only.
 */
export function introspectionOf(verified: VerifyApiKeyResponse, originOf: (keyId: string) => CredentialOrigin): Introspection {
  if (verified.errorCode === VerificationErrorCode.VERIFICATION_ERROR_INTERNAL) throw new Failure("STORE_UNAVAILABLE");
  if (verified.isValid !== true) return { active: false };
  const { jti, iat, aud } = originOf(verified.keyId);
  return {
    active: true,
    scope: verified.scopes.length === 0 ? undefined : verified.scopes.join(" "),
    sub: verified.actorId === "" ? undefined : verified.actorId,
    client_id: verified.keyId,
    exp: verified.expireTime === undefined ? undefined : Math.floor(timestampMs(verified.expireTime) / 1000),
    iat,
    iss: verified.issuer,
    aud: aud.length > 1 ? aud : aud[0],
    jti,
    token_type: "Bearer",
  };
}
