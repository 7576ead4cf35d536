import type { DescMethodUnary } from "@bufbuild/protobuf";
import type { Admission, Handler } from "../call/call.ts";
import type { AnswerQueue } from "../http/answer-queue.ts";
import type { BodyBudget } from "../http/body-budget.ts";
import type { JsonReader } from "../protojson/read.ts";
import type { ErrorReporter } from "./failures.ts";

/** A method that the lanes serve. */
export interface RpcRoute {
  readonly method: DescMethodUnary;
  readonly handler: Handler;
  /** Bound of a request message, before and after inflating. */
  readonly maxBytes: number;
}

export interface LaneOptions {
  readonly admit: Admission;
  readonly json: JsonReader;
  readonly bodies: BodyBudget;
  readonly trustedProxies: readonly string[];
  readonly reportError: ErrorReporter;
}

/** What the lane for Connect needs besides. */
export interface ConnectLaneOptions extends LaneOptions {
  readonly answers: AnswerQueue;
}
