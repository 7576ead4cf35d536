import { create, type DescMethodUnary, type Message } from "@bufbuild/protobuf";
import {
  type VerifyApiKeyRequest,
  VerifyApiKeyRequestSchema,
  type VerifyApiKeyResponse,
} from "../../gen/keywright/v2alpha1/verification_pb.ts";
import type { Admission, Call, Handler, Interceptor } from "../call/call.ts";
import { defaultTenant, tenantHeader } from "../core/tenant.ts";
import { Failure } from "../error/failure.ts";
import { errorTable } from "../error/table.ts";
import type { Demands } from "./demands.ts";
import { EndUserCall } from "./end-user-call.ts";
import { type IdentityHeaders, identityHeadersOf } from "./identity-headers.ts";
import type { IdentityTokens } from "./identity-tokens.ts";
import type { PresentedKey } from "./presented-key.ts";
import { challenge, refusalOf } from "./refusal.ts";

/** A gateway's question about one request of an end user. */
export interface Question {
  readonly demands: Demands;
  /** A Failure if the request has no credential that can be verified. */
  readonly key: PresentedKey | Failure;
  /** The end user's address, as stated by the gateway. Empty if unknown; then it is in no range of a key. */
  readonly clientIp: string;
}

/** A gateway passes on everything that a key may be judged by, so a new member of the request is a type error here. */
type EveryMember = Readonly<Record<Exclude<keyof VerifyApiKeyRequest, keyof Message>, unknown>>;

export type Decision = Allowed | Denied;

export interface Allowed {
  readonly refusal: null;
  readonly key: PresentedKey;
  readonly verified: VerifyApiKeyResponse;
  readonly identity: IdentityHeaders;
  /** Headers for the end user, by lower-case name. */
  readonly answerHeaders: Readonly<Record<string, string>>;
}

export interface Denied {
  readonly refusal: Failure;
  readonly httpStatus: number;
  readonly answerHeaders: Readonly<Record<string, string>>;
}

/** Rejects if there is no decision: a demand is invalid, the gateway may not act for the tenant, or the store does not answer. */
export type Check = (question: Question, call: Call) => Promise<Decision>;

export interface CheckOptions {
  readonly verifyMethod: DescMethodUnary;
  /** The handler of `verifyMethod`. */
  readonly verify: Handler;
  /** Determines the tenant of a call whose caller is known. */
  readonly resolveTenant: Admission;
  readonly identityTokens: IdentityTokens;
  /** Interceptors around each check, with the gateway's call. */
  readonly outer: readonly Interceptor[];
}

/** A check is a verification: it has the same callers, log line, metrics and tenant. */
export function createCheck({ verifyMethod, verify, resolveTenant, identityTokens, outer }: CheckOptions): Check {
  const allow = async (verified: VerifyApiKeyResponse, key: PresentedKey, { audience, identity }: Demands, endUser: EndUserCall) => {
    const { tenant = defaultTenant, answerHeaders } = endUser;
    const token = identity === "jwt" ? await identityTokens.tokenFor(verified, tenant, audience) : "";
    return { refusal: null, key, verified, identity: identityHeadersOf(verified, tenant, token), answerHeaders };
  };

  return async ({ demands, key, clientIp }, call) => {
    const { tenant, scopes, cost, audience } = demands;
    const endUser = new EndUserCall(call, verifyMethod, tenant === undefined ? {} : { [tenantHeader]: tenant });
    await resolveTenant(endUser);
    if (key instanceof Failure) return deny(key, demands, endUser);
    const request = create(VerifyApiKeyRequestSchema, {
      credential: key.credential,
      requiredScopes: [...scopes],
      cost,
      audience,
      clientIp,
    } satisfies EveryMember);
    const innermost: Handler = () => verify(request, endUser);
    const run = outer.reduceRight((next, interceptor) => interceptor(next), innermost);
    const verified = (await run(request, call)) as VerifyApiKeyResponse;
    return verified.isValid === true ? allow(verified, key, demands, endUser) : deny(refusalOf(verified), demands, endUser);
  };
}

function deny(refusal: Failure, { scopes, limitedStatus }: Demands, endUser: EndUserCall): Denied {
  challenge(endUser, refusal, scopes);
  const { httpStatus } = errorTable[refusal.reason];
  return { refusal, httpStatus: httpStatus === 429 ? limitedStatus : httpStatus, answerHeaders: endUser.answerHeaders };
}
