import { VerificationErrorCode, type VerifyApiKeyResponse } from "../../gen/keywright/v2alpha1/verification_pb.ts";
import type { Call } from "../call/call.ts";
import { Failure } from "../error/failure.ts";
import type { Reason } from "../error/table.ts";

/** Exhaustive: a new code decides here whether the end user needs another credential. */
const reasons: Readonly<Partial<Record<VerificationErrorCode, Reason>>> = {
  [VerificationErrorCode.VERIFICATION_ERROR_UNSPECIFIED]: "CREDENTIAL_INVALID",
  [VerificationErrorCode.VERIFICATION_ERROR_INVALID_FORMAT]: "CREDENTIAL_INVALID",
  [VerificationErrorCode.VERIFICATION_ERROR_EXPIRED]: "CREDENTIAL_INVALID",
  [VerificationErrorCode.VERIFICATION_ERROR_REVOKED]: "CREDENTIAL_INVALID",
  [VerificationErrorCode.VERIFICATION_ERROR_NOT_FOUND]: "CREDENTIAL_INVALID",
  [VerificationErrorCode.VERIFICATION_ERROR_SIGNATURE_INVALID]: "CREDENTIAL_INVALID",
  [VerificationErrorCode.VERIFICATION_ERROR_INTERNAL]: "STORE_UNAVAILABLE",
  [VerificationErrorCode.VERIFICATION_ERROR_IP_NOT_ALLOWED]: "ADDRESS_NOT_ALLOWED",
  [VerificationErrorCode.VERIFICATION_ERROR_RATE_LIMITED]: "RATE_LIMITED",
  [VerificationErrorCode.VERIFICATION_ERROR_INSUFFICIENT_SCOPE]: "SCOPE_MISSING",
} satisfies Record<(typeof VerificationErrorCode)[keyof typeof VerificationErrorCode], Reason>;

/** The error for an end user whose credential is not valid. */
export function refusalOf({ errorCode, errorMessage: message }: VerifyApiKeyResponse): Failure {
  return new Failure(reasons[errorCode] ?? "CREDENTIAL_INVALID", { message });
}

/** Sets WWW-Authenticate (RFC 6750, section 3) if the end user needs another credential. */
export function challenge(call: Pick<Call, "setResponseHeader">, { reason }: Failure, scopes: readonly string[]): void {
  const parameters = challenges[reason]?.(scopes);
  if (parameters !== undefined) call.setResponseHeader("www-authenticate", ['Bearer realm="keywright"', ...parameters].join(", "));
}

const challenges: Partial<Record<Reason, (scopes: readonly string[]) => readonly string[]>> = {
  CREDENTIAL_MISSING: () => [],
  CREDENTIAL_INVALID: () => ['error="invalid_token"'],
  // Scopes contain no quotes or backslashes.
  SCOPE_MISSING: (scopes) => ['error="insufficient_scope"', `scope="${scopes.join(" ")}"`],
};
