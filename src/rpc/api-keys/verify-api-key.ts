import type { ApiKeysService } from "../../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { Call } from "../../call/call.ts";
import type { Implementation } from "../../call/methods.ts";
import type { Verified } from "../../service/judge.ts";
import type { Verify } from "../../service/verify.ts";
import type { VerifyMany } from "../../service/verify-many.ts";
import { cacheDirectiveOf, setCacheStatus } from "../cache-control.ts";
import { contextOf } from "../context.ts";
import { createLastingAnswers } from "../lasting-answers.ts";
import { setRateLimitHeaders } from "../rate-limit-headers.ts";
import { verificationOf, verifiedToMessage } from "../verified.ts";

export interface VerifyRpcOptions {
  readonly verify: Verify;
  readonly verifyMany: VerifyMany;
  /** The `iss` of the tokens of a tenant. */
  readonly issuerOf: (tenant: string) => string;
  /** Called with the reason why an item of a batch has no result. The response itself gives no reason. */
  readonly reportUnanswered: (error: unknown) => void;
}

export function verifyApiKey({
  verify,
  issuerOf,
}: Pick<VerifyRpcOptions, "verify" | "issuerOf">): Implementation<typeof ApiKeysService.method.adminVerifyApiKey> {
  const lastingAnswerTo = createLastingAnswers();
  const answerOf = (call: Call, tenant: string, verified: Verified) => {
    setCacheStatus(call, verified.cacheOutcome);
    setRateLimitHeaders(call, verified);
    const issuer = issuerOf(tenant);
    return lastingAnswerTo(verified, issuer) ?? verifiedToMessage(verified, issuer);
  };
  return (request, call) => {
    const { tenant } = contextOf(call);
    const verified = verify(tenant, verificationOf(request, call), cacheDirectiveOf(call));
    return verified instanceof Promise ? verified.then((late) => answerOf(call, tenant, late)) : answerOf(call, tenant, verified);
  };
}
