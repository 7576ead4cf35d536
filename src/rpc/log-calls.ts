import type { DescMethod } from "@bufbuild/protobuf";
import type { Call } from "../call/call.ts";
import type { CallObserver } from "../call/observe.ts";
import type { Failure } from "../error/failure.ts";
import { type CodeName, errorTable, isServerFault, type Reason } from "../error/table.ts";
import type { Log } from "../telemetry/log.ts";

export interface CallLogOptions {
  readonly log: Log;
  readonly monotonicMs: () => number;
  readonly isRead: (method: DescMethod) => boolean;
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
 * One log line a call. Changes are logged as `info`, reads as `debug` but for a sample (bench/micro.ts has the cost of a line), our own
 * faults as `error` with their cause. A caller who is known and may not do what it asks is logged as `info`, a deadline of its own that
 * passed as `warn`; strangers only as `debug`, because they can call as often as they like.
 */
export function logCalls({ log, monotonicMs, isRead, isSampled, traceIdOf }: CallLogOptions): CallObserver {
  const fieldsOf = (call: Call, code: CodeName | "OK", startMs: number) => ({
    requestId: call.requestId,
    traceId: traceIdOf(call),
    rpc: call.method.name,
    protocol: call.protocol,
    caller: call.caller?.name,
    code,
    durationMs: Math.round((monotonicMs() - startMs) * 1000) / 1000,
  });

  const logSuccess = (call: Call, startMs: number): void => {
    const level = isRead(call.method) && !isSampled() ? "debug" : "info";
    if (log.isEnabled(level)) log[level](fieldsOf(call, "OK", startMs), "call");
  };

  const logFailure = (call: Call, failure: Failure, startMs: number): void => {
    const { reason } = failure;
    const { code } = errorTable[reason];
    if (isServerFault(reason)) {
      log.error({ ...fieldsOf(call, code, startMs), reason, error: failure.cause ?? failure }, "call failed");
      return;
    }
    const level = refusalLevel(call, reason);
    if (level === "warn" || log.isEnabled(level)) {
      const clientAddress = refusesCaller(reason) ? call.clientAddress : undefined;
      log[level]({ ...fieldsOf(call, code, startMs), reason, clientAddress }, "call refused");
    }
  };

  return {
    begin(call) {
      const startMs = monotonicMs();
      let isOver = false;
      return {
        end(failure) {
          if (isOver) return;
          isOver = true;
          if (failure === null) logSuccess(call, startMs);
          else logFailure(call, failure, startMs);
        },
      };
    },
  };
}

function refusalLevel({ caller }: Call, reason: Reason): "debug" | "info" | "warn" {
  if (caller === undefined) return "debug";
  if (reason === "DEADLINE_EXCEEDED") return "warn";
  return refusesCaller(reason) ? "info" : "debug";
}

function refusesCaller(reason: Reason): boolean {
  return reason === "UNAUTHENTICATED" || reason === "PERMISSION_DENIED";
}
