import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import {
  Health,
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../../../gen/grpc/health/v1/health_pb.ts";
import type { Implementations } from "../../call/methods.ts";
import type { RegisteredStreams } from "../../call/streams.ts";
import { Failure } from "../../error/failure.ts";
import type { HealthState, Timer } from "./health-state.ts";
import { servingStatus, type WatchLimits } from "./health-watch.ts";

export interface HealthServiceOptions {
  readonly state: HealthState;
  /** Includes "". */
  readonly serviceNames: ReadonlySet<string>;
  readonly limits: Pick<WatchLimits, "maxAdapterWatches" | "maxAgeMs">;
  readonly timer: Timer;
}

export interface HealthService {
  readonly methods: Implementations<typeof Health>;
  readonly watch: RegisteredStreams;
}

/**
 * grpc.health.v1.Health for the given services and for "", the process as a whole; all share one state. Check returns NOT_FOUND for any
 * other name. Watch answers SERVICE_UNKNOWN for it and stays open, as the protocol requires. Most watches over gRPC are handled in
 * health-watch.ts instead.
 */
export function createHealthService({ state, serviceNames, limits, timer }: HealthServiceOptions): HealthService {
  let watchCount = 0;
  const statusOf = (service: string): ServingStatus => (serviceNames.has(service) ? servingStatus(state) : ServingStatus.SERVICE_UNKNOWN);
  const answer = (status: ServingStatus): HealthCheckResponse => create(HealthCheckResponseSchema, { status });

  /** Sends the state and every change of it. A drain ends the stream after NOT_SERVING; the maximum age ends it too. */
  async function* watch({ service }: HealthCheckRequest, { signal }: HandlerContext): AsyncGenerator<HealthCheckResponse> {
    if (watchCount >= limits.maxAdapterWatches) throw new Failure("TOO_MANY_STREAMS");
    watchCount += 1;
    const age = new AbortController();
    const cancelTimer = timer(limits.maxAgeMs, () => age.abort());
    const ended = AbortSignal.any([signal, age.signal]);
    try {
      let sent: ServingStatus | undefined;
      // A drain may also abort the signal, but NOT_SERVING must still be sent.
      while (!ended.aborted || state.draining) {
        const status = statusOf(service);
        if (status !== sent) {
          sent = status;
          yield answer(status);
        } else if (state.draining) {
          return;
        } else {
          await nextChange(state, ended);
        }
      }
      if (age.signal.aborted) throw new Failure("STREAM_EXPIRED");
    } finally {
      cancelTimer();
      watchCount -= 1;
    }
  }

  return {
    methods: {
      check({ service }) {
        if (!serviceNames.has(service)) throw new Failure("ROUTE_NOT_FOUND", { message: "unknown service" });
        return answer(statusOf(service));
      },
      list: () => ({ statuses: Object.fromEntries([...serviceNames].map((service) => [service, answer(statusOf(service))])) }),
    },
    watch: { methods: [Health.method.watch], register: (router) => void router.rpc(Health.method.watch, watch) },
  };
}

function nextChange(state: HealthState, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      unsubscribe();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const unsubscribe = state.onChange(done);
    signal.addEventListener("abort", done);
  });
}
