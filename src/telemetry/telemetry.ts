import type { ObserveRead } from "../cache/record-reader.ts";
import type { Admission, Call, Interceptor } from "../call/call.ts";
import { observeAdmission, observeSuccess } from "../call/observe.ts";
import { parseTraceparent } from "../call/trace-context.ts";
import { observedGenerations, observedKeyStore } from "../observed/key-store.ts";
import { observedSharedCache } from "../observed/shared-cache.ts";
import { observedVerify, observedVerifyMany } from "../observed/verify.ts";
import type { CacheGenerationStore } from "../ports/cache-generation.ts";
import type { KeyStore } from "../ports/key-store.ts";
import type { SharedCache } from "../ports/shared-cache.ts";
import type { Verify } from "../service/verify.ts";
import type { VerifyMany } from "../service/verify-many.ts";
import { countCalls } from "./metrics/calls.ts";
import { countGenerations, countMessages, countReads, countVerifications } from "./metrics/counts.ts";
import type { Metrics } from "./metrics/metrics.ts";
import { timeOperations } from "./metrics/operations.ts";

/** Puts what observes around what is observed. Everything is handed back as it is where nothing observes, so that it costs nothing then. */
export interface Telemetry {
  readonly interceptors: readonly Interceptor[];
  readonly observeRead: ObserveRead | undefined;
  /** The trace that a call belongs to, its caller's or our own; undefined where there is none. */
  traceIdOf(call: Call): string | undefined;
  admission(admit: Admission): Admission;
  keyStore(store: KeyStore): KeyStore;
  generations(generations: CacheGenerationStore): CacheGenerationStore;
  sharedCache(cache: SharedCache): SharedCache;
  verify(verify: Verify): Verify;
  verifyMany(verifyMany: VerifyMany): VerifyMany;
}

export const noTelemetry: Telemetry = {
  interceptors: [],
  observeRead: undefined,
  traceIdOf: callersTraceId,
  admission: (admit) => admit,
  keyStore: (store) => store,
  generations: (generations) => generations,
  sharedCache: (cache) => cache,
  verify: (verify) => verify,
  verifyMany: (verifyMany) => verifyMany,
};

export function createTelemetry(metrics: Metrics, monotonicMs: () => number): Telemetry {
  const calls = countCalls(metrics, monotonicMs);
  const verifications = countVerifications(metrics);
  const onStore = timeOperations(metrics.storeDuration, metrics.storeErrors, monotonicMs);
  const onRedis = timeOperations(metrics.redisDuration, metrics.redisErrors, monotonicMs);
  return {
    interceptors: [observeSuccess],
    observeRead: countReads(metrics),
    traceIdOf: callersTraceId,
    admission: (admit) => observeAdmission(calls, admit),
    keyStore: (store) => observedKeyStore(store, onStore),
    generations: (generations) => observedGenerations(generations, onStore, countGenerations(metrics)),
    sharedCache: (cache) => observedSharedCache(cache, onRedis, countMessages(metrics), monotonicMs),
    verify: (verify) => observedVerify(verify, verifications),
    verifyMany: (verifyMany) => observedVerifyMany(verifyMany, verifications),
  };
}

function callersTraceId(call: Call): string | undefined {
  return parseTraceparent(call.requestHeader("traceparent"))?.traceId;
}
