import type { DescMethodUnary } from "@bufbuild/protobuf";
import type { Status } from "../../gen/google/rpc/status_pb.ts";
import type { Failure } from "../error/failure.ts";
import type { AnswerQueue } from "../http/answer-queue.ts";
import type { BodyBudget } from "../http/body-budget.ts";
import type { ErrorReporter, ServedMethod } from "../http/run-call.ts";
import type { JsonReader } from "../protojson/read.ts";
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
