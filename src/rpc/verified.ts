import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  RefusingLimit,
  VerificationErrorCode,
  type VerifyApiKeyRequest,
  type VerifyApiKeyResponse,
  type VerifyApiKeyResponseSchema,
} from "../../gen/keywright/v2alpha1/verification_pb.ts";
import type { Call } from "../call/call.ts";
import { parseAddress } from "../core/address.ts";
import type { KeyRecord } from "../core/key.ts";
import type { RefusalCode, Verdict } from "../core/verdict.ts";
import type { KeyLimit, Verification, Verified } from "../service/judge.ts";
import {
  type FieldsOf,
  rateLimitPolicyToMessage,
  statusToMessageAt,
  structToMessage,
  timeToMessage,
  visibilityToMessage,
} from "./message.ts";
import { statedAddressOf } from "./stated-address.ts";

/** Throws INVALID_REQUEST if `client_ip` is not an address. */
export function verificationOf(request: VerifyApiKeyRequest, call: Call): Verification {
  const statedAddress = statedAddressOf(request);
  return {
    credential: request.credential,
    endUserAddress: () => statedAddress ?? parseAddress(call.clientAddress),
    requiredScopes: request.requiredScopes,
    audience: request.audience,
    statedAddress,
    cost: request.cost ?? 1,
  };
}

export const refusals = {
  invalid_format: [VerificationErrorCode.VERIFICATION_ERROR_INVALID_FORMAT, "unrecognised credential format"],
  expired: [VerificationErrorCode.VERIFICATION_ERROR_EXPIRED, "the credential has expired"],
  revoked: [VerificationErrorCode.VERIFICATION_ERROR_REVOKED, "the credential was revoked"],
  disabled: [VerificationErrorCode.VERIFICATION_ERROR_REVOKED, "the key is disabled"],
  not_found: [VerificationErrorCode.VERIFICATION_ERROR_NOT_FOUND, "no credential found"],
  wrong_audience: [VerificationErrorCode.VERIFICATION_ERROR_NOT_FOUND, "no credential found"],
  signature_invalid: [VerificationErrorCode.VERIFICATION_ERROR_SIGNATURE_INVALID, "the signature is invalid"],
  internal: [VerificationErrorCode.VERIFICATION_ERROR_INTERNAL, "the credential could not be verified; try again"],
  ip_not_allowed: [VerificationErrorCode.VERIFICATION_ERROR_IP_NOT_ALLOWED, "the client's address is not allowed"],
  rate_limited: [VerificationErrorCode.VERIFICATION_ERROR_RATE_LIMITED, "the key's rate limit is exhausted"],
  actor_rate_limited: [VerificationErrorCode.VERIFICATION_ERROR_RATE_LIMITED, "the rate limit of the key's actor is exhausted"],
  guess_limited: [VerificationErrorCode.VERIFICATION_ERROR_RATE_LIMITED, "too many failed verifications from the client's address"],
  insufficient_scope: [VerificationErrorCode.VERIFICATION_ERROR_INSUFFICIENT_SCOPE, "a required scope is missing"],
} as const satisfies Record<RefusalCode, readonly [VerificationErrorCode, string]>;

/** The fields that describe why a credential is not valid. */
type Refusal = "errorCode" | "errorMessage" | "refusingLimit";

/** For a refused key, only its identity and status: nobody can use its permissions. */
export function verifiedToMessage(
  { verdict, nowMs, customClaims, limit, actorLimit }: Verified,
  issuer: string,
): MessageInitShape<typeof VerifyApiKeyResponseSchema> {
  const { record } = verdict;
  const rateLimitRemaining = limit?.remaining;
  const rateLimitResetTime = limit === undefined ? undefined : timestampFromMs(limit.resetTimeMs);
  if (!verdict.isValid) {
    const [errorCode, errorMessage] = refusals[verdict.code];
    const identity = record === null ? {} : identityOf(record, nowMs);
    const refused = { ...identity, isValid: false, errorCode, errorMessage, rateLimitRemaining, rateLimitResetTime };
    return actorLimit === undefined ? refused : { ...refused, ...refusalByLimits(actorLimit, verdict.code) };
  }
  return {
    ...identityOf(verdict.record, nowMs),
    isValid: true,
    scopes: [...verdict.record.scopes],
    metadata: structToMessage(verdict.record.metadata),
    issuer,
    claims: structToMessage(customClaims),
    rateLimitPolicy: rateLimitPolicyToMessage(verdict.record.rateLimitPolicy),
    rateLimitRemaining,
    rateLimitResetTime,
    actorRateLimitPolicy: rateLimitPolicyToMessage(actorLimit?.policy ?? null),
    actorRateLimitRemaining: actorLimit?.remaining,
    actorRateLimitResetTime: timeToMessage(actorLimit?.resetTimeMs ?? null),
    supersededBy: verdict.record.supersededBy ?? "",
  } satisfies Record<Exclude<keyof FieldsOf<VerifyApiKeyResponse>, Refusal>, unknown>;
}

const refusingLimits: Readonly<Partial<Record<RefusalCode, RefusingLimit>>> = {
  rate_limited: RefusingLimit.KEY,
  actor_rate_limited: RefusingLimit.ACTOR,
};

function refusalByLimits({ remaining, resetTimeMs }: KeyLimit, code: RefusalCode) {
  return {
    actorRateLimitRemaining: remaining,
    actorRateLimitResetTime: timestampFromMs(resetTimeMs),
    refusingLimit: refusingLimits[code] ?? RefusingLimit.UNSPECIFIED,
  };
}

/** Returns why the credential is not valid, for human readers. */
export function refusalTextOf(verdict: Verdict): string {
  return verdict.isValid ? "" : refusals[verdict.code][1];
}

function identityOf(record: KeyRecord, nowMs: number) {
  return {
    keyId: record.keyId,
    actorId: record.actorId,
    expireTime: timeToMessage(record.expireTimeMs),
    status: statusToMessageAt(record, nowMs),
    visibility: visibilityToMessage[record.visibility],
  };
}
