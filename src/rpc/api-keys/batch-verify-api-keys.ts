import type { ApiKeysService } from "../../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import {
  VerificationErrorCode,
  type VerifyApiKeyRequest,
  VerifyApiKeyRequestSchema,
  VerifyApiKeyResponseSchema,
} from "../../../gen/keywright/v2alpha1/verification_pb.ts";
import type { CacheOutcome } from "../../cache/reading.ts";
import type { Call } from "../../call/call.ts";
import { Failure, violationsText } from "../../error/failure.ts";
import { unverified, type Verification, type Verified } from "../../service/judge.ts";
import { mapInTurns } from "../../turns.ts";
import type { ViolationsOf } from "../../validation/violations.ts";
import { maxAnswerBytes, verifiedBytes } from "../answer-size.ts";
import { cacheDirectiveOf, setCacheStatus } from "../cache-control.ts";
import { turnsOf } from "../call-turns.ts";
import { contextOf } from "../context.ts";
import type { Bounded } from "../response-turns.ts";
import { verificationOf, verifiedToMessage } from "../verified.ts";
import { compileWritable } from "../writable.ts";
import type { VerifyRpcOptions } from "./verify-api-key.ts";

/**
 * Each item has its own result. An item that breaks the contract's rules gets INVALID_FORMAT with the invalid fields. An item whose result
 * cannot be encoded gets INTERNAL. Neither affects the other items.
 */
export function batchVerifyApiKeys(
  { verifyMany, issuerOf, reportUnanswered }: Pick<VerifyRpcOptions, "verifyMany" | "issuerOf" | "reportUnanswered">,
  violationsOf: ViolationsOf,
): Bounded<typeof ApiKeysService.method.adminBatchVerifyApiKeys> {
  const isWritable = compileWritable(VerifyApiKeyResponseSchema);

  const answerOf = (verified: Verified, issuer: string, problems: unknown[]) => {
    try {
      const answer = verifiedToMessage(verified, issuer);
      if (isWritable(answer)) return answer;
      throw new Error(`the answer for key ${answer.keyId} cannot be written`);
    } catch (error) {
      problems.push(error);
      return verifiedToMessage(unverified("internal", verified.kind, verified.nowMs), issuer);
    }
  };

  return async ({ requests }, call, setBytes) => {
    const turns = turnsOf(call);
    const items = await mapInTurns(requests, (request) => itemOf(request, call, violationsOf), turns);
    const sound = items.filter((item) => typeof item !== "string");
    const { tenant } = contextOf(call);
    const issuer = issuerOf(tenant);
    const verified = await verifyMany(tenant, sound, cacheDirectiveOf(call), turns);
    setCacheStatus(call, farthest(verified));
    const answers = verified.values();
    const problems: unknown[] = [];
    let answerBytes = 0;
    const results = await mapInTurns(items, (item) => {
      if (typeof item === "string") {
        answerBytes += Buffer.byteLength(item);
        return malformed(item);
      }
      const answer = answers.next().value as Verified;
      const itemBytes = verifiedBytes(answer, issuer);
      if (answerBytes + itemBytes > maxAnswerBytes) return unanswered;
      answerBytes += itemBytes;
      return answerOf(answer, issuer, problems);
    });
    if (problems.length > 0) reportUnanswered(problems[0]);
    setBytes(answerBytes);
    return { results };
  };
}

/** Returns the item to verify, or every problem with it. */
function itemOf(request: VerifyApiKeyRequest, call: Call, violationsOf: ViolationsOf): Verification | string {
  const violations = violationsOf(VerifyApiKeyRequestSchema, request);
  try {
    const verification = verificationOf(request, call);
    return violations.length === 0 ? verification : violationsText(violations);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const others = violations.filter(({ field }) => error.violations.every((violation) => violation.field !== field));
    return violationsText([...error.violations, ...others]);
  }
}

function malformed(errorMessage: string) {
  return { isValid: false, errorCode: VerificationErrorCode.VERIFICATION_ERROR_INVALID_FORMAT, errorMessage };
}

/** A verdict must not be sent without metadata or claims, because a caller that decides by these would decide wrongly. */
const unanswered = {
  isValid: false,
  errorCode: VerificationErrorCode.VERIFICATION_ERROR_INTERNAL,
  errorMessage: "the results of this batch are too large together; verify this credential in a smaller batch",
};

const byDistance: readonly (CacheOutcome | null)[] = ["bypass", "miss", "hit"];

/** Returns one header for the whole batch. It describes the look-up that reached the most distant level. */
function farthest(verified: readonly Verified[]): CacheOutcome | null {
  return byDistance.find((outcome) => verified.some(({ cacheOutcome }) => cacheOutcome === outcome)) ?? null;
}
