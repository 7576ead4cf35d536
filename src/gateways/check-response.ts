import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { HeaderValueOption_HeaderAppendAction, type HeaderValueOptionSchema } from "../../gen/envoy/config/core/v3/base_pb.ts";
import { type CheckResponse, CheckResponseSchema } from "../../gen/envoy/service/auth/v3/external_auth_pb.ts";
import type { StatusCode } from "../../gen/envoy/type/v3/http_status_pb.ts";
import type { Failure } from "../error/failure.ts";
import { codeNumbers, errorTable } from "../error/table.ts";
import { failureBody } from "../http/json-answer.ts";
import type { Allowed, Denied } from "./check.ts";

type Headers = Readonly<Record<string, string>>;

/** Headers of a decision for the end user. */
const forEndUser: ReadonlySet<string> = new Set(["ratelimit", "ratelimit-policy", "retry-after", "www-authenticate"]);

/**
 * Lets the request pass. Identity headers overwrite headers of the same names from the end user, the header with the credential is removed,
 * and the limits of the key are sent to the end user. The dynamic metadata is for other filters and the access log.
 */
export function allowedResponse({ key, verified, identity, answerHeaders }: Allowed): CheckResponse {
  const { actorId, keyId, scopes, rateLimitRemaining } = verified;
  const metadata = { actor: actorId, key_id: keyId, scopes, tenant: identity["x-keywright-tenant"] };
  return create(CheckResponseSchema, {
    status: { code: 0 },
    httpResponse: {
      case: "okResponse",
      value: {
        headers: optionsOf(identity),
        headersToRemove: [key.header],
        responseHeadersToAdd: optionsOf(endUserHeaders(answerHeaders)),
      },
    },
    dynamicMetadata: rateLimitRemaining === undefined ? metadata : { ...metadata, remaining: Number(rateLimitRemaining) },
  });
}

/** Refuses the request with the headers and the body that JSON/HTTP has for the failure. */
export function deniedResponse({ refusal, httpStatus, answerHeaders }: Denied, requestId: string): CheckResponse {
  const headers = { ...endUserHeaders(answerHeaders), "content-type": "application/json", "cache-control": "no-store" };
  return create(CheckResponseSchema, {
    status: { code: codeNumbers[errorTable[refusal.reason].code], message: refusal.reason },
    httpResponse: {
      case: "deniedResponse",
      value: {
        // The enum uses the HTTP numbers.
        status: { code: httpStatus as StatusCode },
        headers: optionsOf(headers),
        body: JSON.stringify(failureBody(refusal, requestId)),
      },
    },
  });
}

/** The response if there is no decision. */
export function failedResponse(failure: Failure, requestId: string): CheckResponse {
  return deniedResponse({ refusal: failure, httpStatus: errorTable[failure.reason].httpStatus, answerHeaders: {} }, requestId);
}

function endUserHeaders(headers: Headers): Headers {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => forEndUser.has(name)));
}

function optionsOf(headers: Headers): MessageInitShape<typeof HeaderValueOptionSchema>[] {
  return Object.entries(headers).map(([key, value]) => ({
    header: { key, value },
    appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
    keepEmptyValue: true,
  }));
}
