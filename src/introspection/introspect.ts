import { create, type DescMethodUnary, type Message } from "@bufbuild/protobuf";
import {
  type VerifyApiKeyRequest,
  VerifyApiKeyRequestSchema,
  type VerifyApiKeyResponse,
} from "../../gen/keywright/v2alpha1/verification_pb.ts";
import type { Admission, Handler } from "../call/call.ts";
import type { MethodTable } from "../call/methods.ts";
import { Failure, invalidField } from "../error/failure.ts";
import { createAnswerQueue } from "../http/answer-queue.ts";
import type { BodyBudget } from "../http/body-budget.ts";
import { HttpCall } from "../http/http-call.ts";
import { sendAnswer, sendFailure } from "../http/json-answer.ts";
import { type HttpHandler, type HttpRequest, type HttpResponse, headerOf } from "../http/message.ts";
import { readBody } from "../http/read-body.ts";
import { type ErrorReporter, runCall, type ServedMethod } from "../http/run-call.ts";
import { introspectionOf } from "./introspection.ts";

/** The path of the endpoint. */
export const introspectionPath = "/v2alpha1/oauth2/introspect";

export interface IntrospectionOptions {
  /** The verify method. Callers who may call it may introspect. */
  readonly method: DescMethodUnary;
  readonly methods: MethodTable;
  readonly admit: Admission;
  readonly bodies: BodyBudget;
  readonly maxBytes: (method: DescMethodUnary) => number;
  readonly trustedProxies: readonly string[];
  readonly reportError: ErrorReporter;
}

/**
 * OAuth 2.0 Token Introspection (RFC 7662) of keys and derived tokens. An introspection is a verification with a cost of 0: it has the same
 * callers, log line, metrics and tenant.
 */
export function createIntrospection(options: IntrospectionOptions): HttpHandler {
  const { method, methods, admit } = options;
  const served: ServedMethod = { admit, handler: methods.get(method) as Handler };
  const maxBytes = options.maxBytes(method);
  const answers = createAnswerQueue();

  async function serve(request: HttpRequest, response: HttpResponse): Promise<void> {
    const sink = "stream" in response ? response.stream : response;
    const call = new HttpCall(method, "json-http", request, sink, options.trustedProxies);
    let credential = "";
    const steps = {
      timeoutMs: () => undefined,
      read: async (): Promise<VerifyApiKeyRequest> => {
        const lease = call.openBody(options.bodies);
        try {
          credential = tokenOf(request, (await readBody(request, request, maxBytes, lease)).toString());
        } finally {
          lease.release();
        }
        return create(VerifyApiKeyRequestSchema, { credential, cost: 0 });
      },
      encode: (answer: Message) => JSON.stringify(introspectionOf(answer as VerifyApiKeyResponse, credential)),
    };
    const outcome = await runCall(call, served, steps, options.reportError);
    if (sink.destroyed) return;
    call.setAnswered();
    if (outcome instanceof Failure) sendFailure(request, response, outcome, call.responseHeaders);
    else sendAnswer(request, response, { status: 200, location: undefined, text: outcome }, call.responseHeaders, answers);
  }

  return (request, response) => {
    if (request.method !== "POST") {
      response.setHeader("allow", "POST");
      sendFailure(request, response, new Failure("METHOD_NOT_ALLOWED"), {});
      return;
    }
    serve(request, response).catch((error: unknown) => {
      if (!response.destroyed) options.reportError(error);
      response.destroy();
    });
  };
}

/** The parameter `token`. `token_type_hint` and unknown parameters are ignored (section 2.1). */
function tokenOf(request: HttpRequest, body: string): string {
  const mediaType = headerOf(request, "content-type")?.split(";", 1)[0]?.trim().toLowerCase();
  if (mediaType !== "application/x-www-form-urlencoded") {
    throw new Failure("UNSUPPORTED_MEDIA_TYPE", { message: "the request body must be application/x-www-form-urlencoded" });
  }
  const [token, ...others] = new URLSearchParams(body).getAll("token");
  if (token === undefined || token === "" || others.length > 0) throw invalidField("token", "must be given once");
  return token;
}
