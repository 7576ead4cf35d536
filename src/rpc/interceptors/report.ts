import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { Call, Interceptor } from "../../call/call.ts";
import { Failure } from "../../error/failure.ts";
import { errorTable } from "../../error/table.ts";
import type { Log } from "../../telemetry/log.ts";

/**
 * The outermost interceptor: one log line a call, and a mask over what is not meant for the caller. Changes are logged as `info`, reads
 * as `debug` (a verify a line would cost as much as the verify), our own faults as `error` with their cause.
 */
export function report(log: Log, clock: () => number): Interceptor {
  return (next) => async (request, call) => {
    const startMs = clock();
    try {
      const response = await next(request, call);
      const isRead = call.method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS || isVerification(call);
      log[isRead ? "debug" : "info"](fieldsOf(call, startMs, clock), "call");
      return response;
    } catch (error) {
      const failure = error instanceof Failure ? error : new Failure("INTERNAL", { cause: error });
      const fields = { ...fieldsOf(call, startMs, clock), reason: failure.reason };
      if (errorTable[failure.reason].httpStatus >= 500 && failure.reason !== "UNIMPLEMENTED") {
        log.error({ ...fields, error: failure.cause ?? failure }, "call failed");
      } else {
        log.debug(fields, "call refused");
      }
      throw failure;
    }
  };
}

function isVerification(call: Call): boolean {
  return call.method.localName === "adminVerifyApiKey" || call.method.localName === "adminBatchVerifyApiKeys";
}

function fieldsOf(call: Call, startMs: number, clock: () => number) {
  return {
    requestId: call.requestId,
    rpc: call.method.name,
    protocol: call.protocol,
    caller: call.caller?.name,
    durationMs: clock() - startMs,
  };
}
