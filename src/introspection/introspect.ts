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
import { checkMedia } from "../http/media-type.ts";
import { type HttpHandler, type HttpRequest, type HttpResponse, headerOf, headWith, type RequestHead } from "../http/message.ts";
import { readBody } from "../http/read-body.ts";
import { type ErrorReporter, runCall, type ServedMethod } from "../http/run-call.ts";
import { type BasicCredentials, basicCredentialsOf } from "./basic.ts";
import { introspectionOf, type OriginOf } from "./introspection.ts";

/** The path of the endpoint. */
export const introspectionPath = "/v2alpha1/oauth2/introspect";

export interface IntrospectionOptions {
  /** The verify method. Callers who may call it may introspect. */
  readonly method: DescMethodUnary;
  readonly methods: MethodTable;
  readonly admit: Admission;
  /** Records the calls that a further step refuses. */
  readonly audited: (admit: Admission) => Admission;
  readonly bodies: BodyBudget;
  readonly maxBytes: (method: DescMethodUnary) => number;
  readonly trustedProxies: readonly string[];
  readonly reportError: ErrorReporter;
  readonly originOf: OriginOf;
}

/**
 * OAuth 2.0 Token Introspection (RFC 7662) of keys and derived tokens. An introspection is a verification with a cost of 0: it has the same
 * callers, log line, metrics and tenant.
 */
export function createIntrospection(options: IntrospectionOptions): HttpHandler {
  const { method, methods, admit } = options;
  const handler = methods.get(method) as Handler;
  const maxBytes = options.maxBytes(method);
  const answers = createAnswerQueue();

  /** Admission has no user names, so the one of HTTP Basic is checked after it. */
  const admitUser = (basic: BasicCredentials): Admission => {
    const checkUser = options.audited((call) => {
      if (basic.user !== call.caller?.name) throw new Failure("UNAUTHENTICATED", { message: wrongUser });
    });
    return async (call) => {
      await admit(call);
      await checkUser(call);
    };
  };

  async function serve(request: HttpRequest, response: HttpResponse): Promise<void> {
    const sink = "stream" in response ? response.stream : response;
    const basic = basicCredentialsOf(headerOf(request, "authorization"));
    const call = new HttpCall(method, "json-http", headOf(request, basic), sink, options.trustedProxies);
    let credential = "";
    const steps = {
      timeoutMs: () => undefined,
      read: async (): Promise<VerifyApiKeyRequest> => {
        const body = await readBody(request, request, maxBytes, call.openBody(options.bodies));
        const parameters = parametersOf(call, body.toString());
        credential = parameters.credential;
        return create(VerifyApiKeyRequestSchema, { ...parameters, cost: 0, requiredScopes: [] } satisfies EveryMember);
      },
      encode: (answer: Message) => {
        const originOf = (keyId: string) => options.originOf(call.tenant, credential, keyId);
        return JSON.stringify(introspectionOf(answer as VerifyApiKeyResponse, originOf));
      },
    };
    call.setResponseHeader("cache-control", "no-store");
    const served: ServedMethod = { admit: basic == null ? admit : admitUser(basic), handler };
    const outcome = await runCall(call, served, steps, options.reportError);
    if (sink.destroyed) return;
    call.setAnswered();
    if (outcome instanceof Failure) {
      // The challenge names the scheme that the client used (RFC 6749, section 5.2).
      if (basic !== undefined && outcome.reason === "UNAUTHENTICATED") call.setResponseHeader("www-authenticate", basicChallenge);
      sendFailure(request, response, outcome, call.responseHeaders);
    } else sendAnswer(request, response, { status: 200, location: undefined, text: outcome }, call.responseHeaders, answers);
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

/** A key is judged by all members of the request, so a new member is a type error in the handler. */
type EveryMember = Readonly<Record<Exclude<keyof VerifyApiKeyRequest, keyof Message>, unknown>>;

const formType = "application/x-www-form-urlencoded";
const basicChallenge = 'Basic realm="keywright", charset="UTF-8"';
const wrongUser = "the user name of HTTP Basic must be the name of the token, and the password the token";

/** The head with the password of HTTP Basic as a bearer token. */
function headOf(request: HttpRequest, basic: BasicCredentials | null | undefined): RequestHead {
  if (basic == null) return request;
  return headWith(request, { ...request.headers, authorization: `Bearer ${basic.password}` });
}

/**
 * Reads the parameters of the form: `token`, and as extensions the other parameters of a verification. `token_type_hint` and unknown
 * parameters are ignored (section 2.1).
 */
function parametersOf(call: HttpCall, body: string) {
  checkMedia(call, formType, ({ essence }) => essence === formType);
  const form = new URLSearchParams(body);
  const credential = onlyOne(form, "token");
  if (credential === "") throw invalidField("token", "must be given once");
  return { credential, clientIp: onlyOne(form, "client_ip"), audience: onlyOne(form, "audience") };
}

/** Returns an empty text if the parameter is missing. */
function onlyOne(form: URLSearchParams, name: string): string {
  const [value = "", ...others] = form.getAll(name);
  if (others.length > 0) throw invalidField(name, "must be given once");
  return value;
}
