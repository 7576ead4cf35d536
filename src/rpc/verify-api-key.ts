import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import {
  VerificationErrorCode,
  type VerifyApiKeyRequest,
  type VerifyApiKeyResponseSchema,
} from "../../gen/keywright/v2alpha1/verification_pb.ts";
import type { CacheDirective } from "../cache/record-reader.ts";
import type { Call } from "../call/call.ts";
import type { Implementation } from "../call/methods.ts";
import { defaultTenant } from "../core/tenant.ts";
import type { RefusalCode } from "../core/verdict.ts";
import type { Verification, Verified, Verify } from "../service/verify.ts";
import { cacheDirectiveOf, setCacheStatus } from "./cache-control.ts";
import { rateLimitPolicyToMessage, statusToMessageAt, timeToMessage, visibilityOfRecord } from "./message.ts";

export interface VerifyRpcOptions {
  readonly verify: Verify;
  /** The configured token issuer. */
  readonly issuer: string;
}

export function verifyApiKey({ verify, issuer }: VerifyRpcOptions): Implementation<typeof ApiKeysService.method.adminVerifyApiKey> {
  return async (request, call) => {
    const verified = await verify(defaultTenant, verificationOf(request, call, cacheDirectiveOf(call)));
    setCacheStatus(call, verified.cacheOutcome);
    return verifiedToMessage(verified, issuer);
  };
}

function verificationOf(request: VerifyApiKeyRequest, call: Call, cacheDirective: CacheDirective): Verification {
  return {
    credential: request.credential,
    clientAddress: () => request.clientIp || call.clientAddress,
    requiredScopes: request.requiredScopes,
    cacheDirective,
  };
}

const refusals = {
  invalid_format: [VerificationErrorCode.VERIFICATION_ERROR_INVALID_FORMAT, "the credential cannot be read"],
  expired: [VerificationErrorCode.VERIFICATION_ERROR_EXPIRED, "the credential has expired"],
  revoked: [VerificationErrorCode.VERIFICATION_ERROR_REVOKED, "the credential was revoked"],
  not_found: [VerificationErrorCode.VERIFICATION_ERROR_NOT_FOUND, "there is no such credential"],
  signature_invalid: [VerificationErrorCode.VERIFICATION_ERROR_SIGNATURE_INVALID, "the signature does not fit"],
  internal: [VerificationErrorCode.VERIFICATION_ERROR_INTERNAL, "the credential could not be verified; try again"],
  ip_not_allowed: [VerificationErrorCode.VERIFICATION_ERROR_IP_NOT_ALLOWED, "the client's address is not allowed"],
  rate_limited: [VerificationErrorCode.VERIFICATION_ERROR_RATE_LIMITED, "the rate limit is exhausted"],
  insufficient_scope: [VerificationErrorCode.VERIFICATION_ERROR_INSUFFICIENT_SCOPE, "a required scope is missing"],
} as const satisfies Record<RefusalCode, readonly [VerificationErrorCode, string]>;

/** Of a refused key only what tells which one it is and in what state: its permissions are of no use to anybody then. */
function verifiedToMessage({ verdict, nowMs }: Verified, issuer: string): MessageInitShape<typeof VerifyApiKeyResponseSchema> {
  const { record } = verdict;
  const identity =
    record === null
      ? {}
      : {
          keyId: record.keyId,
          actorId: record.actorId,
          expireTime: timeToMessage(record.expireTimeMs),
          status: statusToMessageAt(record, nowMs),
          visibility: visibilityOfRecord(record),
        };
  if (!verdict.isValid) {
    const [errorCode, errorMessage] = refusals[verdict.code];
    return { ...identity, isValid: false, errorCode, errorMessage };
  }
  return {
    ...identity,
    isValid: true,
    scopes: [...verdict.record.scopes],
    metadata: verdict.record.metadata ?? undefined,
    issuer,
    rateLimitPolicy: rateLimitPolicyToMessage(verdict.record.rateLimitPolicy),
  };
}
