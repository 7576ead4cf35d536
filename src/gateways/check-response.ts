import { create } from "@bufbuild/protobuf";
import {
  type HeaderValueOption,
  HeaderValueOption_HeaderAppendAction,
  HeaderValueOptionSchema,
} from "../../gen/envoy/config/core/v3/base_pb.ts";
import {
  type CheckResponse,
  CheckResponseSchema,
  DeniedHttpResponseSchema,
  OkHttpResponseSchema,
} from "../../gen/envoy/service/auth/v3/external_auth_pb.ts";
import type { StatusCode } from "../../gen/envoy/type/v3/http_status_pb.ts";
import { failureStatus } from "../call/error-details.ts";
import { grpcErrorTrailers } from "../connect/error-encoding.ts";
import { createBoundedMemory } from "../core/bounded-memory.ts";
import type { Failure } from "../error/failure.ts";
import { codeNumbers, errorTable } from "../error/table.ts";
import { failureBody } from "../http/json-answer.ts";
import { retryHeaders } from "../http/run-call.ts";
import type { Allowed, Denied } from "./check.ts";
import { identityHeaderNames } from "./identity-headers.ts";

type Headers = Readonly<Record<string, string>>;

/** Headers of a decision that are for the end user. */
const forEndUser: readonly string[] = ["ratelimit", "ratelimit-policy", "retry-after", "www-authenticate"];

/** Characters of values to remember: those of some thousand keys. */
const rememberedChars = 4_194_304;

/** The inputs of the answer to a request of an end user. */
export interface EndUserRequest {
  readonly requestId: string;
  readonly isGrpc: boolean;
}

/** Makes Envoy's answers to checks. */
export interface CheckResponses {
  /**
   * Lets the request pass: identity headers overwrite what the end user sent under their names, the header with the credential is taken
   * off, and the limits of the key go to the end user. The dynamic metadata is for other filters and the access log.
   */
  allowed(decision: Allowed): CheckResponse;
  /** Refuses the request with the headers and the body that JSON/HTTP has for the failure, or a gRPC call with the status that gRPC has. */
  denied(decision: Denied, endUser: EndUserRequest): CheckResponse;
  /** The answer where there is no decision. */
  failed(failure: Failure, endUser: EndUserRequest): CheckResponse;
}

export function createCheckResponses(): CheckResponses {
  /** Most requests of a key have the same identity. Making its headers anew would cost a tenth of a check. */
  const made = createBoundedMemory<HeaderValueOption>(rememberedChars, ({ header }) => 64 + (header?.value.length ?? 0));
  const identityOption = (key: string, value: string): HeaderValueOption => {
    const name = `${key}:${value}`;
    let option = made.get(name);
    if (option === undefined) {
      option = optionOf(key, value);
      made.set(name, option);
    }
    return option;
  };

  const denied: CheckResponses["denied"] = ({ refusal, httpStatus, answerHeaders }, { requestId, isGrpc }) => {
    const { headers, body } = isGrpc ? grpcRefusal(refusal, requestId) : jsonRefusal(refusal, requestId);
    const value = create(DeniedHttpResponseSchema, {
      // The enum has the numbers of HTTP.
      status: { code: httpStatus as StatusCode },
      headers: [...endUserOptions(answerHeaders), ...headers, optionOf("cache-control", "no-store")],
      body,
    });
    const status = { code: codeNumbers[errorTable[refusal.reason].code], message: refusal.reason };
    return create(CheckResponseSchema, { status, httpResponse: { case: "deniedResponse", value } });
  };

  return {
    denied,

    allowed({ key, verified, identity, answerHeaders }) {
      const { actorId, keyId, scopes, rateLimitRemaining } = verified;
      const metadata = { actor: actorId, key_id: keyId, scopes, tenant: identity["x-keywright-tenant"] };
      const value = create(OkHttpResponseSchema, {
        headers: identityHeaderNames.map((name) => identityOption(name, identity[name])),
        headersToRemove: [key.header],
        responseHeadersToAdd: endUserOptions(answerHeaders),
      });
      return create(CheckResponseSchema, {
        status: { code: 0 },
        httpResponse: { case: "okResponse", value },
        dynamicMetadata: rateLimitRemaining === undefined ? metadata : { ...metadata, remaining: Number(rateLimitRemaining) },
      });
    },

    failed(refusal, endUser) {
      return denied({ refusal, httpStatus: errorTable[refusal.reason].httpStatus, answerHeaders: retryHeaders(refusal) }, endUser);
    },
  };
}

interface Refusal {
  readonly headers: readonly HeaderValueOption[];
  readonly body: string;
}

function jsonRefusal(refusal: Failure, requestId: string): Refusal {
  return { headers: [optionOf("content-type", "application/json")], body: JSON.stringify(failureBody(refusal, requestId)) };
}

/**
 * Envoy answers a gRPC call with trailers alone, and makes the body its `grpc-message`. Without a `grpc-status` it would turn 429 into
 * UNAVAILABLE, which gRPC clients repeat.
 */
function grpcRefusal(refusal: Failure, requestId: string): Refusal {
  const status = failureStatus(refusal, requestId);
  const { "grpc-message": _, ...trailers } = grpcErrorTrailers(status);
  return { headers: Object.entries(trailers).map(([name, value]) => optionOf(name, value)), body: status.message };
}

function endUserOptions(headers: Headers): HeaderValueOption[] {
  return forEndUser.flatMap((name) => (headers[name] === undefined ? [] : [optionOf(name, headers[name])]));
}

function optionOf(key: string, value: string): HeaderValueOption {
  return create(HeaderValueOptionSchema, {
    header: { key, value },
    appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
    keepEmptyValue: true,
  });
}
