import type { IncomingHttpHeaders } from "node:http";
import type { DescMethodUnary } from "@bufbuild/protobuf";
import type { Admission } from "../call/call.ts";
import { Failure } from "../error/failure.ts";
import { forwardedAddress } from "../http/client-address.ts";
import { HttpCall } from "../http/http-call.ts";
import { exchangeOf, writeHeaders } from "../http/http-exchange.ts";
import { sendFailure } from "../http/json-answer.ts";
import { type HttpHandler, type HttpRequest, type HttpResponse, headerOf, headWith, type RequestHead } from "../http/message.ts";
import { type ErrorReporter, failureOf, retryHeaders } from "../http/run-call.ts";
import { targetOf } from "../http/target.ts";
import type { Check, Decision } from "./check.ts";
import type { DemandsReader } from "./demands.ts";
import { presentedKey } from "./presented-key.ts";
import { demandsInPath } from "./verify-path.ts";

export interface ForwardAuthOptions {
  /** The verify method. Its callers may use this. */
  readonly method: DescMethodUnary;
  readonly check: Check;
  readonly readDemands: DemandsReader;
  /** Admits the gateway, without determining its tenant. */
  readonly admit: Admission;
  readonly trustedProxies: readonly string[];
  readonly reportError: ErrorReporter;
}

/** The header with the gateway's own token. Authorization is the end user's. */
const tokenHeader = "x-keywright-token";

/**
 * Forward authorization over HTTP, for gateways that ask about each request and pass its headers on. Any method is accepted, the query is
 * ignored, and bodies are not read. The response for an allowed request is 200 without a body, because some gateways accept no other
 * status.
 */
export function createForwardAuth({ method, check, readDemands, admit, trustedProxies, reportError }: ForwardAuthOptions): HttpHandler {
  const decide = async (request: HttpRequest, call: HttpCall): Promise<Decision | Failure> => {
    try {
      await admit(call);
      const demands = readDemands(demandsInPath(targetOf(request).path));
      const key = presentedKey((name) => allLines(request, name), demands.header);
      const decision = await check({ demands, key, clientIp: forwardedAddress(request, trustedProxies) }, call);
      call.observation?.end(null);
      return decision;
    } catch (error) {
      return ofGateway(failureOf(error, call, reportError));
    }
  };

  async function serve(request: HttpRequest, response: HttpResponse): Promise<void> {
    const exchange = exchangeOf(request, response);
    const call = new HttpCall(method, "json-http", gatewayHead(request), exchange.sink, trustedProxies);
    const decision = await decide(request, call);
    if (exchange.sink.destroyed) return;
    call.setAnswered();
    const headers = { "x-request-id": call.requestId };
    if (decision instanceof Failure) {
      sendFailure(request, response, decision, { ...retryHeaders(decision), ...headers });
    } else if (decision.refusal !== null) {
      sendFailure(request, response, decision.refusal, { ...decision.answerHeaders, ...headers }, decision.httpStatus);
    } else {
      writeHeaders(exchange, 200, { "cache-control": "no-store", ...decision.answerHeaders, ...decision.identity, ...headers });
      request.resume();
    }
  }

  return (request, response) => {
    serve(request, response).catch((error: unknown) => {
      if (!response.destroyed) reportError(error);
      response.destroy();
    });
  };
}

/**
 * Headers of the request that are the gateway's, or that do not concern permissions. No host: gateways pass on the end user's, who could
 * choose the tenant by it.
 */
const gatewayHeaders = ["x-forwarded-for", "x-request-id", "traceparent"] as const;

/** The head of the gateway's own call: with its token, and without the headers of the end user. */
function gatewayHead(request: HttpRequest): RequestHead {
  const headers: IncomingHttpHeaders = {};
  for (const name of gatewayHeaders) {
    const value = headerOf(request, name);
    if (value !== undefined) headers[name] = value;
  }
  const token = request.headers[tokenHeader];
  if (typeof token === "string") headers.authorization = `Bearer ${token}`;
  return headWith(request, headers);
}

/** Node keeps the first line of some headers and drops the others. The gateway's upstream may use another line. */
function allLines({ headers, rawHeaders }: HttpRequest, name: string): string | undefined {
  if (headers[name] === undefined) return undefined;
  const lines: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const candidate = rawHeaders[index] as string;
    if (candidate.length === name.length && candidate.toLowerCase() === name) lines.push(rawHeaders[index + 1] as string);
  }
  return lines.join(", ");
}

/** A 401 would mean to end users that their own credential is invalid. */
function ofGateway(failure: Failure): Failure {
  if (failure.reason !== "UNAUTHENTICATED") return failure;
  return new Failure("PERMISSION_DENIED", { message: `the gateway's own token (${tokenHeader}) is missing or not valid` });
}
