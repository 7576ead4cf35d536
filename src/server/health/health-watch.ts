import { create, toBinary } from "@bufbuild/protobuf";
import {
  Health,
  type HealthCheckRequest,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../../../gen/grpc/health/v1/health_pb.ts";
import type { MessageSink, ServerStreamRoute } from "../../call/streams.ts";
import { Failure } from "../../error/failure.ts";
import type { HealthState, Timer } from "./health-state.ts";

export interface WatchLimits {
  /** Open watches over gRPC. */
  readonly maxWatches: number;
  readonly maxWatchesPerSession: number;
  /** Open watches over gRPC-Web and Connect, which cost about 40 KB each. */
  readonly maxAdapterWatches: number;
  /** A watch ends after this time; clients open it again. */
  readonly maxAgeMs: number;
}

export const defaultWatchLimits: WatchLimits = {
  maxWatches: 4000,
  maxWatchesPerSession: 10,
  maxAdapterWatches: 100,
  maxAgeMs: 300_000,
};

export interface WatchOptions {
  readonly state: HealthState;
  /** Includes "". A watch of another name gets SERVICE_UNKNOWN and stays open, as the protocol requires. */
  readonly serviceNames: ReadonlySet<string>;
  readonly limits: WatchLimits;
  readonly timer: Timer;
  readonly monotonicMs: () => number;
}

interface Watch {
  readonly isKnownService: boolean;
  readonly openedMs: number;
}

/** A health request contains only the name of a service. */
const maxRequestBytes = 1024;

/** The Watch calls of grpc.health.v1.Health. All known services share one state, so one list serves them, and one message goes to all. */
export function createHealthWatches({ state, serviceNames, limits, timer, monotonicMs }: WatchOptions): ServerStreamRoute {
  // Ordered by age.
  const watches = new Map<MessageSink, Watch>();
  const perSession = new WeakMap<object, number>();
  let sent = servingStatus(state);
  let isTimerSet = false;

  const expire = (): void => {
    isTimerSet = false;
    for (const [sink, { openedMs }] of watches) {
      const leftMs = openedMs + limits.maxAgeMs - monotonicMs();
      if (leftMs > 0) {
        startTimer(leftMs);
        return;
      }
      remove(sink);
      sink.end(new Failure("STREAM_EXPIRED"));
    }
  };
  const startTimer = (delayMs: number): void => {
    if (isTimerSet) return;
    isTimerSet = true;
    timer(delayMs, expire);
  };
  const remove = (sink: MessageSink): void => {
    if (!watches.delete(sink)) return;
    perSession.set(sink.session, (perSession.get(sink.session) ?? 1) - 1);
  };
  const announce = (): void => {
    const status = servingStatus(state);
    const message = status === sent ? undefined : encode(status);
    sent = status;
    for (const [sink, { isKnownService }] of watches) {
      if (isKnownService && message !== undefined) sink.send(message);
      if (!state.draining) continue;
      remove(sink);
      sink.end();
    }
  };
  state.onChange(announce);

  return {
    method: Health.method.watch,
    maxRequestBytes,
    open(request, sink) {
      const count = perSession.get(sink.session) ?? 0;
      if (watches.size >= limits.maxWatches || count >= limits.maxWatchesPerSession) throw new Failure("TOO_MANY_STREAMS");
      const isKnownService = serviceNames.has((request as HealthCheckRequest).service);
      sink.send(encode(isKnownService ? sent : ServingStatus.SERVICE_UNKNOWN));
      if (state.draining) return sink.end();
      perSession.set(sink.session, count + 1);
      watches.set(sink, { isKnownService, openedMs: monotonicMs() });
      startTimer(limits.maxAgeMs);
    },
    close: remove,
  };
}

export function servingStatus(state: HealthState): ServingStatus {
  return state.serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
}

function encode(status: ServingStatus): Uint8Array {
  return toBinary(HealthCheckResponseSchema, create(HealthCheckResponseSchema, { status }));
}
