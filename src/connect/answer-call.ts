import type { Failure } from "../error/failure.ts";
import type { HttpCall } from "../http/http-call.ts";
import type { HttpExchange } from "../http/http-exchange.ts";
import { type CallSteps, startCall } from "../http/run-call.ts";
import { discardRest } from "./discard-rest.ts";
import { giveUp } from "./give-up.ts";
import type { LaneOptions, RpcRoute } from "./lane.ts";

/** A unary call of a lane. */
export interface LaneCall {
  readonly call: HttpCall;
  readonly route: RpcRoute;
  readonly steps: CallSteps<Buffer>;
  readonly exchange: HttpExchange;
}

/** Runs a call and disposes of its body. `write` writes the encoded response or the failure, if the caller is still there. */
export function answerCall(
  { call, route, steps, exchange: { source, sink } }: LaneCall,
  { reportError }: Pick<LaneOptions, "reportError">,
  write: (outcome: Buffer | Failure) => void,
): void {
  startCall(call, route, steps, reportError, (outcome) => {
    if (call.isClosed) return discardRest(source);
    call.setAnswered();
    try {
      write(outcome);
      discardRest(source);
    } catch (error) {
      giveUp(sink, error, reportError);
    }
  });
}
