import type { DescMethodUnary, Message } from "@bufbuild/protobuf";
import { Authorization, type CheckRequest } from "../../gen/envoy/service/auth/v3/external_auth_pb.ts";
import type { Admission, Call } from "../call/call.ts";
import type { RpcRoute } from "../connect/lane.ts";
import { Failure } from "../error/failure.ts";
import type { Check } from "./check.ts";
import { isGrpcCall, questionOf } from "./check-request.ts";
import { createCheckResponses } from "./check-response.ts";
import type { DemandsReader } from "./demands.ts";

export interface ExtAuthzOptions {
  /** The verify method. Its callers may use this. */
  readonly method: DescMethodUnary;
  readonly check: Check;
  readonly readDemands: DemandsReader;
  /** Admits the gateway, without determining its tenant. */
  readonly admit: Admission;
  readonly trustedProxies: readonly string[];
}

/** A request contains the headers of an end user's request, and its body if Envoy is configured to send it. */
const maxBytes = 1024 * 1024;

/**
 * Envoy's external authorization, `envoy.service.auth.v3.Authorization/Check`. The caller is the gateway, identified by the metadata or the
 * certificate of its call. A gateway without permission gets an error, which Envoy answers with its `status_on_error`.
 */
export function createExtAuthz({ method, check, readDemands, admit, trustedProxies }: ExtAuthzOptions): RpcRoute {
  const responses = createCheckResponses();
  const handler = async (request: Message, call: Call): Promise<Message> => {
    const asked = request as CheckRequest;
    const endUser = () => ({ requestId: call.requestId, isGrpc: isGrpcCall(asked) });
    try {
      const decision = await check(questionOf(asked, readDemands, trustedProxies), call);
      return decision.refusal === null ? responses.allowed(decision) : responses.denied(decision, endUser());
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      // Envoy would hide an error of the call from the end user, but logs and metrics get it.
      call.observation?.end(error);
      return responses.failed(error, endUser());
    }
  };
  return { method: Authorization.method.check, countsAs: method, handler, admit, maxBytes };
}
