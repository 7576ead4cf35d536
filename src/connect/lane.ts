import type { DescMethodUnary } from "@bufbuild/protobuf";
import type { Status } from "../../gen/google/rpc/status_pb.ts";
import type { Failure } from "../error/failure.ts";
import type { AnswerQueue } from "../http/answer-queue.ts";
import type { BodyBudget } from "../http/body-budget.ts";
import type { HttpCall } from "../http/http-call.ts";
import type { ErrorReporter, ServedMethod } from "../http/run-call.ts";
import type { JsonReader } from "../protojson/read.ts";
import { acceptedEncodings, type Encoding, encodingOf } from "./compression.ts";
import type { EncodeMessage } from "./encode.ts";

/** A unary method that the lanes serve. */
export interface RpcRoute extends ServedMethod {
  readonly method: DescMethodUnary;
  /** The method as which a call is counted, for permissions, logs, metrics and traces. Default: `method`. */
  readonly countsAs?: DescMethodUnary;
  /** Bound of a request message, before and after inflating. */
  readonly maxBytes: number;
}

export interface LaneOptions {
  readonly json: JsonReader;
  readonly bodies: BodyBudget;
  readonly encode: EncodeMessage;
  readonly trustedProxies: readonly string[];
  readonly reportError: ErrorReporter;
  /** Returns the part of a failure that callers may see. */
  readonly statusOf: (failure: Failure, requestId: string) => Status;
  readonly answers: AnswerQueue;
}

/**
 * The encoding that a request names in `header`. Throws UNIMPLEMENTED for an unknown one; then the answer lists the known ones in
 * `acceptHeader`.
 */
export function requestEncoding(call: HttpCall, header: string, acceptHeader: string): Encoding | undefined {
  const name = call.requestHeader(header);
  if (name === undefined) return undefined;
  try {
    return encodingOf(name);
  } catch (error) {
    call.setResponseHeader(acceptHeader, acceptedEncodings);
    throw error;
  }
}
