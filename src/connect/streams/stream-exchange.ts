import { type Code, ConnectError, createContextKey, type HandlerContext, type Interceptor } from "@connectrpc/connect";
import type { Status } from "../../../gen/google/rpc/status_pb.ts";
import type { Failure } from "../../error/failure.ts";
import { type ErrorReporter, failureOf } from "../../http/run-call.ts";
import { acceptedEncodings } from "../compression.ts";
import { errorDetail, percentEncode } from "../error-encoding.ts";
import { failureOfConnectError } from "../failures.ts";
import { guardAnswers, guardRequests } from "./streams.ts";

/** The context of a stream that passes through Connect's own handler. */
export interface StreamExchange {
  /** Headers of the answer, also of errors. */
  readonly responseHeaders: Readonly<Record<string, string>>;
  /** Returns the part of a failure that the caller may see. */
  readonly errorOf: (failure: Failure) => ConnectError;
  /** Set if the call fails before its method runs. */
  readonly failure: Failure | undefined;
  /** The header that lists the accepted encodings, if the request named an unknown one. */
  readonly acceptHeader: string | undefined;
}

export const exchangeKey = createContextKey<StreamExchange | undefined>(undefined, { description: "exchange" });

/**
 * Makes Connect answer a failure that happened before its handler ran. It runs before the body is read and supports all three protocols.
 */
export function refuseFailed(context: HandlerContext): void {
  encodeMessagesAsGrpcDoes(context.responseTrailer);
  const exchange = context.values.get(exchangeKey);
  if (exchange?.failure === undefined) return;
  if (exchange.acceptHeader !== undefined) context.responseHeader.set(exchange.acceptHeader, acceptedEncodings);
  throw exchange.errorOf(exchange.failure);
}

/** Connect writes grpc-message with encodeURIComponent, which grpc-js and others decode only in part. */
function encodeMessagesAsGrpcDoes(trailer: Headers): void {
  const set = trailer.set.bind(trailer);
  Object.assign(trailer, {
    set: (name: string, value: string) =>
      set(name, name.toLowerCase() === "grpc-message" ? percentEncode(decodeURIComponent(value)) : value),
  });
}

/** Runs Connect's implementation with our deadline, headers and errors. */
export function answerStreams(reportError: ErrorReporter, shutdownSignal: AbortSignal): Interceptor {
  return (next) => async (request) => {
    const exchange = request.contextValues.get(exchangeKey) as StreamExchange;
    const errorFor = (error: unknown): ConnectError => {
      const known = error instanceof ConnectError ? failureOfConnectError(error) : undefined;
      const call = { isClosed: request.signal.aborted, observation: undefined };
      return exchange.errorOf(known ?? failureOf(error, call, reportError));
    };
    try {
      if (!request.stream) return await next(request);
      const answer = await next({ ...request, message: guardRequests(request.message, request.signal, shutdownSignal) });
      for (const [name, value] of Object.entries(exchange.responseHeaders)) answer.header.set(name, value);
      return answer.stream ? { ...answer, message: guardAnswers(answer.message, request.signal, shutdownSignal, errorFor) } : answer;
    } catch (error) {
      throw errorFor(error);
    }
  };
}

/** A status as the error that Connect's handlers write. */
export function statusToConnect({ code, message, details }: Status, requestId: string): ConnectError {
  const error = new ConnectError(message, code as Code, { "x-request-id": requestId });
  error.details = details.map(errorDetail);
  return error;
}
