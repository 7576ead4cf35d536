import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { Admission, Call, Interceptor } from "../../call/call.ts";
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
      const level = isRead(call) ? "debug" : "info";
      if (log.isEnabled(level)) log[level](fieldsOf(call, clock() - startMs), "call");
      return response;
    } catch (error) {
      const failure = error instanceof Failure ? error : new Failure("INTERNAL", { cause: error });
      if (errorTable[failure.reason].httpStatus >= 500 && failure.reason !== "UNIMPLEMENTED") {
        const cause = failure.cause ?? failure;
        log.error({ ...fieldsOf(call, clock() - startMs), reason: failure.reason, error: cause }, "call failed");
      } else if (log.isEnabled("debug")) {
        log.debug({ ...fieldsOf(call, clock() - startMs), reason: failure.reason }, "call refused");
      }
      throw failure;
    }
  };
}

/** Logs whom the admission refuses; those calls never reach the interceptors. Strangers only as `debug`: they can call as often as they like. */
export function reportRefusals(log: Log, admit: Admission): Admission {
  return (call) => {
    try {
      admit(call);
    } catch (error) {
      const level = call.caller === undefined ? "debug" : "info";
      if (error instanceof Failure && log.isEnabled(level)) {
        log[level]({ ...fieldsOf(call, 0), reason: error.reason, clientAddress: call.clientAddress }, "call refused");
      }
      throw error;
    }
  };
}

/** Verifications are no NO_SIDE_EFFECTS methods, since those can be called by GET and credentials must not stand in URLs. */
function isRead({ method }: Call): boolean {
  return method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS || verifications.has(method.localName);
}

const verifications: ReadonlySet<string> = new Set(["adminVerifyApiKey", "adminBatchVerifyApiKeys"]);

function fieldsOf(call: Call, durationMs: number) {
  return { requestId: call.requestId, rpc: call.method.name, protocol: call.protocol, caller: call.caller?.name, durationMs };
}
