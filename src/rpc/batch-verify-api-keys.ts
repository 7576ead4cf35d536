import type { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { VerificationErrorCode, VerifyApiKeyRequestSchema } from "../../gen/keywright/v2alpha1/verification_pb.ts";
import type { CacheOutcome } from "../cache/record-reader.ts";
import type { Implementation } from "../call/methods.ts";
import { defaultTenant } from "../core/tenant.ts";
import type { Verified } from "../service/judge.ts";
import { maxAnswerBytes, verifiedBytes } from "./answer-size.ts";
import { cacheDirectiveOf, setCacheStatus } from "./cache-control.ts";
import { verificationOf, verifiedToMessage } from "./verified.ts";
import type { VerifyRpcOptions } from "./verify-api-key.ts";
import { type ViolationsOf, violationsText } from "./violations.ts";

/** An item that breaks the contract's rules gets INVALID_FORMAT with the fields at fault, and its neighbours are verified all the same. */
export function batchVerifyApiKeys(
  { verifyMany, issuer }: Pick<VerifyRpcOptions, "verifyMany" | "issuer">,
  violationsOf: ViolationsOf,
): Implementation<typeof ApiKeysService.method.adminBatchVerifyApiKeys> {
  return async ({ requests }, call) => {
    const problems = requests.map((request) => violationsText(violationsOf(VerifyApiKeyRequestSchema, request)));
    const sound = requests.filter((_, index) => problems[index] === "");
    const verified = await verifyMany(
      defaultTenant,
      sound.map((request) => verificationOf(request, call)),
      cacheDirectiveOf(call),
    );
    setCacheStatus(call, farthest(verified));
    const answers = verified.values();
    let bytes = 0;
    const results = problems.map((problem) => {
      if (problem !== "") {
        bytes += Buffer.byteLength(problem);
        return malformed(problem);
      }
      const answer = answers.next().value as Verified;
      const answerBytes = verifiedBytes(answer, issuer);
      if (bytes + answerBytes > maxAnswerBytes) return unanswered;
      bytes += answerBytes;
      return verifiedToMessage(answer, issuer);
    });
    return { results };
  };
}

function malformed(errorMessage: string) {
  return { isValid: false, errorCode: VerificationErrorCode.VERIFICATION_ERROR_INVALID_FORMAT, errorMessage };
}

/** Not the verdict without metadata or claims: whoever decides by these would decide wrong. */
const unanswered = {
  isValid: false,
  errorCode: VerificationErrorCode.VERIFICATION_ERROR_INTERNAL,
  errorMessage: "the results of this batch are too large together; verify this credential in a smaller batch",
};

const byDistance: readonly (CacheOutcome | null)[] = ["bypass", "miss", "hit"];

/** One header for the whole batch: how far the farthest look-up went. */
function farthest(verified: readonly Verified[]): CacheOutcome | null {
  return byDistance.find((outcome) => verified.some(({ cacheOutcome }) => cacheOutcome === outcome)) ?? null;
}
