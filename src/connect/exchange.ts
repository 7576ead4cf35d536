import { type DescMessage, type Message, toBinary, toJson } from "@bufbuild/protobuf";
import { type Code, ConnectError, createContextKey, type HandlerContext, type Interceptor } from "@connectrpc/connect";
import type { Failure } from "../error/failure.ts";
import { codeNumbers } from "../error/table.ts";
import type { HttpCall } from "../http/http-call.ts";
import { acceptedEncodings } from "./compression.ts";
import { rpcError } from "./error-encoding.ts";
import { type ErrorReporter, failureOf, failureOfConnectError } from "./failures.ts";
import { guardAnswers, guardRequests } from "./streams.ts";

/** What travels beside a request through Connect's own handler. */
export interface Exchange {
  readonly requestId: string;
  /** Headers that the answer carries; on errors too. */
  readonly responseHeaders: Readonly<Record<string, string>>;
  readonly binary: boolean;
  /** Why the call fails before its method runs. */
  readonly failure?: Failure;
  /** The header that tells which encodings are accepted, where the request named another. */
  readonly acceptHeader?: string;
  /** Of unary calls: the call, its message, which was read already, and what is left of its time. */
  readonly unary?: { readonly call: HttpCall; readonly message: Message; readonly timeoutMs: number | undefined };
}

export const exchangeKey = createContextKey<Exchange | undefined>(undefined, { description: "exchange" });

/** Lets Connect answer a failure that came up before it was asked: it runs before the body is touched and knows all three protocols. */
export function refuseFailed(context: HandlerContext): void {
  const exchange = context.values.get(exchangeKey);
  if (exchange?.failure === undefined) return;
  if (exchange.acceptHeader !== undefined) context.responseHeader.set(exchange.acceptHeader, acceptedEncodings);
  throw connectError(exchange.failure, exchange);
}

/** Runs what Connect runs, with our message, deadline, headers and errors. */
export function answerCalls(report: ErrorReporter, shutdownSignal: AbortSignal): Interceptor {
  return (next) => async (request) => {
    const exchange = request.contextValues.get(exchangeKey) as Exchange;
    const failureFor = (error: unknown): Failure =>
      (error instanceof ConnectError ? failureOfConnectError(error) : undefined) ??
      failureOf(error, exchange.unary?.call ?? { isClosed: request.signal.aborted, observation: undefined }, report);
    try {
      if (request.stream) {
        const answer = await next({ ...request, message: guardRequests(request.message, request.signal, shutdownSignal) });
        if (!answer.stream) return answer;
        setHeaders(answer.header, exchange);
        const errorFor = (error: unknown): ConnectError => connectError(failureFor(error), exchange);
        return { ...answer, message: guardAnswers(answer.message, request.signal, shutdownSignal, errorFor) };
      }
      const { call, message, timeoutMs } = exchange.unary as NonNullable<Exchange["unary"]>;
      const answer = await call.withDeadline(timeoutMs, () => next({ ...request, message }));
      call.setAnswered();
      if (!answer.stream) checkEncodable(answer.method.output, answer.message, exchange.binary);
      setHeaders(answer.header, exchange);
      return answer;
    } catch (error) {
      throw connectError(failureFor(error), exchange);
    }
  };
}

/** Connect's own error for a message that cannot be written quotes it. */
function checkEncodable(schema: DescMessage, message: Message, binary: boolean): void {
  if (binary) toBinary(schema, message);
  else toJson(schema, message);
}

function setHeaders(header: Headers, { responseHeaders }: Exchange): void {
  for (const [name, value] of Object.entries(responseHeaders)) header.set(name, value);
}

function connectError(failure: Failure, { requestId, responseHeaders }: Exchange): ConnectError {
  const { code, message, details } = rpcError(failure, requestId);
  const error = new ConnectError(message, codeNumbers[code] as Code, responseHeaders);
  error.details = [...details];
  return error;
}
