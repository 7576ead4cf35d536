import type { DescMethod } from "@bufbuild/protobuf";
import type { Call } from "../call/call.ts";
import type { CallObserver } from "../call/observe.ts";
import type { Failure } from "../error/failure.ts";
import { type CodeName, errorTable, isServerFault, type Reason } from "../error/table.ts";
import type { Log } from "../ports/log.ts";
import { createLineLimit } from "./line-limit.ts";

export interface CallLogOptions {
  readonly log: Log;
  readonly monotonicMs: () => number;
  /** Runs work when the process ends, after the last call. */
  readonly atEnd: (work: () => void) => void;
  readonly isRead: (method: DescMethod) => boolean;
  /** Called for each successful read. Returns true if it is logged as `info`. */
  readonly isSampled: () => boolean;
  /** Returns the trace of a call. */
  readonly traceIdOf: (call: Call) => string | undefined;
}

/** Returns a function that returns true for this share, 0 to 1, of its calls. */
export function createSampler(share: number, random: () => number): () => boolean {
  return share === 0 ? () => false : () => random() < share;
}

/**
 * Writes one log line per call. Changes are logged as `info`, reads as `debug` except for a sample (bench/micro.ts has the cost of a line),
 * and our own faults as `error` with their cause, though of reads only a few a second. A known caller without permission is logged as
 * `info`, and an exceeded deadline of the caller as `warn`. Unauthenticated callers are logged only as `debug`, because they can call as
 * often as they like.
 */
export function logCalls({ log, monotonicMs, atEnd, isRead, isSampled, traceIdOf }: CallLogOptions): CallObserver {
  const omittedBefore = createLineLimit(monotonicMs, atEnd, (omitted) => log.error({ omitted }, "call failed; further lines were omitted"));

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

  const logFault = (call: Call, failure: Failure, startMs: number): void => {
    const omitted = isRead(call.method) ? omittedBefore() : 0;
    if (omitted === null) return;
    const { reason } = failure;
    const fields = { ...fieldsOf(call, errorTable[reason].code, startMs), reason, error: failure.cause ?? failure };
    log.error({ ...fields, ...(omitted > 0 && { omitted }) }, "call failed");
  };

  const logRefusal = (call: Call, { reason }: Failure, startMs: number): void => {
    const { code } = errorTable[reason];
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
          else if (isServerFault(failure.reason)) logFault(call, failure, startMs);
          else logRefusal(call, failure, startMs);
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
