import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { Admission, Call, Interceptor } from "../../call/call.ts";
import { Failure } from "../../error/failure.ts";
import { type CodeName, errorTable } from "../../error/table.ts";
import type { Log } from "../../telemetry/log.ts";

export interface ReportOptions {
  readonly log: Log;
  readonly clock: () => number;
  /** Asked for each successful read: whether it is one of those logged as `info`. */
  readonly isSampled: () => boolean;
  /** The trace that a call belongs to. */
  readonly traceIdOf: (call: Call) => string | undefined;
}

/** True for this share, 0 to 1, of the times that it is asked. */
export function createSampler(share: number, random: () => number): () => boolean {
  return share === 0 ? () => false : () => random() < share;
}

/**
 * The outermost interceptor that every call has: one log line a call, and a mask over what is not meant for the caller. Changes are logged as
 * `info`, reads as `debug` but for a sample (bench/micro.ts has the cost of a line), our own faults as `error` with their cause.
 */
export function report({ log, clock, isSampled, traceIdOf }: ReportOptions): Interceptor {
  const fieldsOf = fieldsBy(traceIdOf);
  return (next) => async (request, call) => {
    const startMs = clock();
    try {
      const response = await next(request, call);
      const level = isRead(call) && !isSampled() ? "debug" : "info";
      if (log.isEnabled(level)) log[level](fieldsOf(call, "OK", clock() - startMs), "call");
      return response;
    } catch (error) {
      const failure = error instanceof Failure ? error : new Failure("INTERNAL", { cause: error });
      const { code, httpStatus } = errorTable[failure.reason];
      if (httpStatus >= 500 && failure.reason !== "UNIMPLEMENTED") {
        const cause = failure.cause ?? failure;
        log.error({ ...fieldsOf(call, code, clock() - startMs), reason: failure.reason, error: cause }, "call failed");
      } else if (log.isEnabled("debug")) {
        log.debug({ ...fieldsOf(call, code, clock() - startMs), reason: failure.reason }, "call refused");
      }
      throw failure;
    }
  };
}

/** Logs whom the admission refuses; those calls never reach the interceptors. Strangers only as `debug`: they can call as often as they like. */
export function reportRefusals({ log, traceIdOf }: Pick<ReportOptions, "log" | "traceIdOf">, admit: Admission): Admission {
  const fieldsOf = fieldsBy(traceIdOf);
  return (call) => {
    try {
      admit(call);
    } catch (error) {
      const level = call.caller === undefined ? "debug" : "info";
      if (error instanceof Failure && log.isEnabled(level)) {
        const { code } = errorTable[error.reason];
        log[level]({ ...fieldsOf(call, code, 0), reason: error.reason, clientAddress: call.clientAddress }, "call refused");
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

function fieldsBy(traceIdOf: ReportOptions["traceIdOf"]) {
  return (call: Call, code: CodeName | "OK", durationMs: number) => ({
    requestId: call.requestId,
    traceId: traceIdOf(call),
    rpc: call.method.name,
    protocol: call.protocol,
    caller: call.caller?.name,
    code,
    durationMs,
  });
}
