import type { DescFile, DescService } from "@bufbuild/protobuf";
import { Health } from "../../gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as AlphaServerReflection } from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import type { Implementations } from "../call/methods.ts";
import type { RegisteredStreams, ServerStreamRoute } from "../call/streams.ts";
import type { HttpHandler } from "../http/message.ts";
import { createHealthService } from "./health/health.ts";
import { createHealthHttp } from "./health/health-http.ts";
import { createHealthState, type HealthState, systemTimer } from "./health/health-state.ts";
import { createHealthWatches, defaultWatchLimits } from "./health/health-watch.ts";
import type { ReflectionOptions } from "./reflection.ts";

export interface ServerServicesOptions {
  /** Resolves if the store can serve calls. */
  readonly ping: () => Promise<void>;
  /** The services of the API. */
  readonly services: readonly DescService[];
  readonly otherFiles: readonly DescFile[];
  /** Who may use reflection: everyone, callers with the role `admin`, or nobody. */
  readonly reflection: "on" | "admin" | "off";
  readonly isAdmin: (authorization: string | undefined) => Promise<boolean>;
  readonly monotonicMs: () => number;
}

export interface ServerServices {
  readonly health: HealthState;
  readonly healthHttp: HttpHandler;
  /** The Check and List methods of health. */
  readonly healthMethods: Implementations<typeof Health>;
  /** Register reflection, and the health watches that are not in `watches`. */
  readonly streams: readonly RegisteredStreams[];
  /** Watches of health over gRPC. */
  readonly watches: ServerStreamRoute;
}

const healthPing = { intervalMs: 5000, timeoutMs: 1000 };

/** Health and reflection, for the services of the API and for themselves. */
export function createServerServices(options: ServerServicesOptions): ServerServices {
  const { ping, services, otherFiles, reflection, isAdmin, monotonicMs } = options;
  const state = createHealthState({ ping, timer: systemTimer, ...healthPing });
  const serviceNames = new Set(["", ...services.map(({ typeName }) => typeName)]);
  const watchOptions = { state, serviceNames, limits: defaultWatchLimits, timer: systemTimer };
  const isAllowed = reflection === "on" ? async () => true : (authorization: string | null) => isAdmin(authorization ?? undefined);
  const health = createHealthService(watchOptions);
  return {
    health: state,
    healthHttp: createHealthHttp(state),
    healthMethods: health.methods,
    streams: [
      health.watch,
      ...(reflection === "off" ? [] : [reflectionStreams({ services: [...services, Health], otherFiles, isAllowed })]),
    ],
    watches: createHealthWatches({ ...watchOptions, monotonicMs }),
  };
}

/** Loaded on demand, because it encodes the descriptors of all files. */
function reflectionStreams(options: ReflectionOptions): RegisteredStreams {
  return {
    methods: [ServerReflection.method.serverReflectionInfo, AlphaServerReflection.method.serverReflectionInfo],
    async register(router) {
      const { createReflection } = await import("./reflection.ts");
      createReflection(options)(router);
    },
  };
}
