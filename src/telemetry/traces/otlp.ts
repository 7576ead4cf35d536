import { AsyncLocalStorage } from "node:async_hooks";
import {
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { Call, CallObservation } from "../../call/call.ts";
import { parseTraceparent, type TraceContext } from "../../call/trace-context.ts";
import { Failure } from "../../error/failure.ts";
import { errorTable } from "../../error/table.ts";
import { createProvider, type ExportOptions, isChosen } from "./export.ts";
import type { Traces } from "./traces.ts";

type Active = AsyncLocalStorage<Context>;

const closeTimeoutMs = 2000;
const untraced: CallObservation = { end() {} };

/** Traces by OpenTelemetry. Imported only if traces are on, with the packages that this and export.ts name. */
export function startTraces(options: ExportOptions): Traces {
  const { sampler } = options.settings;
  const provider = createProvider(options);
  const tracer = provider.getTracer("keywright", options.version);
  const contexts = new WeakMap<Call, Context>();
  /** Operations that run inside a traced call, and only those. */
  const active: Active = new AsyncLocalStorage<Context>();
  const { part, onDatabase } = createParts(tracer, active);

  return {
    calls: {
      begin(call) {
        const caller = parseTraceparent(call.requestHeader("traceparent"));
        if (!isChosen(sampler, caller)) return untraced;
        const span = tracer.startSpan(
          `${call.method.parent.typeName}/${call.method.name}`,
          { kind: SpanKind.SERVER, attributes: { "rpc.method": call.method.name, "keywright.protocol": call.protocol } },
          caller === undefined ? ROOT_CONTEXT : callersContext(caller),
        );
        if (!span.isRecording()) return untraced;
        contexts.set(call, trace.setSpan(ROOT_CONTEXT, span));
        return { end: (failure) => endCall(span, failure) };
      },
    },

    interceptor: (next) => (request, call) => {
      const context = contexts.get(call);
      return context === undefined ? next(request, call) : active.run(context, next, request, call);
    },

    onReader: (operation, work, outcomeOf) =>
      part(`cache ${operation}`, {}, work, (answer, span) => {
        span.setAttribute("keywright.cache.outcome", outcomeOf(answer));
      }),
    onStore: (system) => onDatabase("store", system),
    onRedis: onDatabase("redis", "redis"),

    verifications: noteVerifications(active),

    traceIdOf(call) {
      const context = contexts.get(call);
      return context && trace.getSpanContext(context)?.traceId;
    },

    async close() {
      await Promise.race([
        provider.shutdown().catch(() => {}),
        new Promise((resolve) => {
          setTimeout(resolve, closeTimeoutMs).unref();
        }),
      ]);
    },
  };
}

/** Spans of the parts of a call. */
function createParts(tracer: Tracer, active: Active) {
  /** Runs `work` as a part of the current call if that call is traced. */
  const part = <T>(name: string, options: SpanOptions, work: () => Promise<T>, see: (answer: T, span: Span) => void): Promise<T> => {
    const parent = active.getStore();
    return parent === undefined ? work() : tracedPart(parent, tracer.startSpan(name, options, parent), work, see);
  };

  const tracedPart = async <T>(parent: Context, span: Span, work: () => Promise<T>, see: (answer: T, span: Span) => void): Promise<T> => {
    try {
      const answer = await active.run(trace.setSpan(parent, span), work);
      see(answer, span);
      return answer;
    } catch (error) {
      fail(span, error instanceof Failure ? error.reason : "INTERNAL");
      throw error;
    } finally {
      span.end();
    }
  };

  const onDatabase = (place: string, system: string): ReturnType<Traces["onStore"]> => {
    return (operation, work, hasFailed) => {
      const options = { kind: SpanKind.CLIENT, attributes: { "db.system.name": system, "db.operation.name": operation } };
      return part(`${place} ${operation}`, options, work, (answer, span) => {
        if (hasFailed?.(answer) === true) fail(span, "no_answer");
      });
    };
  };

  return { part, onDatabase };
}

/** Writes the outcome of verifications on the span of their call. */
function noteVerifications(active: Active): Traces["verifications"] {
  /** Methods with many verifications, whose individual outcomes only metrics report. */
  const batches = new WeakSet<Span>();
  const activeSpan = (): Span | undefined => {
    const context = active.getStore();
    return context && trace.getSpan(context);
  };
  return {
    one(kind, outcome) {
      const span = activeSpan();
      if (span !== undefined && !batches.has(span)) span.setAttributes({ "keywright.credential": kind, "keywright.verification": outcome });
    },
    batch(size) {
      const span = activeSpan();
      if (span === undefined) return;
      batches.add(span);
      span.setAttribute("keywright.batch_size", size);
    },
  };
}

function callersContext({ traceId, spanId, isSampled }: TraceContext): Context {
  const traceFlags = isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, isRemote: true, traceFlags });
}

/** A refused call is not our own error. */
function endCall(span: Span, failure: Failure | null): void {
  const { code, httpStatus } = failure === null ? { code: "OK", httpStatus: 200 } : errorTable[failure.reason];
  span.setAttribute("rpc.response.status_code", code);
  if (failure !== null) span.setAttribute("error.type", failure.reason);
  if (httpStatus >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

function fail(span: Span, type: string): void {
  span.setAttribute("error.type", type);
  span.setStatus({ code: SpanStatusCode.ERROR });
}
