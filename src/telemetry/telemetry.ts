import type { ObserveRead, RecordReader } from "../cache/record-reader.ts";
import type { Admission, Call, Interceptor } from "../call/call.ts";
import { observeAdmission, observeByBoth as observeCallsByBoth, observeSuccess } from "../call/observe.ts";
import { parseTraceparent } from "../call/trace-context.ts";
import { observedGenerations, observedKeyStore } from "../observed/key-store.ts";
import { type Observe, observeByBoth } from "../observed/observe.ts";
import { observedReader } from "../observed/record-reader.ts";
import { observedSharedCache } from "../observed/shared-cache.ts";
import { observedLedger } from "../observed/shared-ledger.ts";
import { observedVerify, observedVerifyMany } from "../observed/verify.ts";
import type { CacheGenerationStore } from "../ports/cache-generation.ts";
import type { KeyStore } from "../ports/key-store.ts";
import type { SharedLedger } from "../ports/ledger.ts";
import type { SharedCache } from "../ports/shared-cache.ts";
import type { Verify } from "../service/verify.ts";
import type { VerifyMany } from "../service/verify-many.ts";
import { countCalls } from "./metrics/calls.ts";
import { countGenerations, countMessages, countReads, countVerifications } from "./metrics/counts.ts";
import type { Metrics } from "./metrics/metrics.ts";
import { timeOperations } from "./metrics/operations.ts";
import type { Traces } from "./traces/traces.ts";

/** Puts what observes around what is observed. Everything is handed back as it is where nothing observes, so that it costs nothing then. */
export interface Telemetry {
  /** Around all others. */
  readonly interceptors: readonly Interceptor[];
  readonly observeRead: ObserveRead | undefined;
  /** The trace that a call belongs to, its caller's or our own; undefined where there is none. */
  traceIdOf(call: Call): string | undefined;
  admission(admit: Admission): Admission;
  keyStore(store: KeyStore, system: string): KeyStore;
  generations(generations: CacheGenerationStore): CacheGenerationStore;
  sharedCache(cache: SharedCache): SharedCache;
  sharedLedger(ledger: SharedLedger): SharedLedger;
  reader(reader: RecordReader): RecordReader;
  verify(verify: Verify): Verify;
  verifyMany(verifyMany: VerifyMany): VerifyMany;
}

/** Null for what is off. */
export function createTelemetry(metrics: Metrics | null, traces: Traces | null, monotonicMs: () => number): Telemetry {
  const counted = metrics === null ? null : countCalls(metrics, monotonicMs);
  const calls = counted === null || traces === null ? (counted ?? traces?.calls) : observeCallsByBoth(counted, traces.calls);
  const onStore = metrics && timeOperations(metrics.storeDuration, metrics.storeErrors, monotonicMs);
  const onRedis = metrics && timeOperations(metrics.redisDuration, metrics.redisErrors, monotonicMs);
  const redisObserver = byBoth(onRedis, traces?.onRedis);
  const verifications = [metrics && countVerifications(metrics), traces?.verifications].filter((observe) => observe != null);
  return {
    interceptors: [...(calls === undefined ? [] : [observeSuccess]), ...(traces === null ? [] : [traces.interceptor])],
    observeRead: metrics === null ? undefined : countReads(metrics),
    traceIdOf: (call) => traces?.traceIdOf(call) ?? parseTraceparent(call.requestHeader("traceparent"))?.traceId,
    admission: (admit) => (calls === undefined ? admit : observeAdmission(calls, admit)),
    keyStore(store, system) {
      const observe = byBoth(onStore, traces?.onStore(system));
      return observe === undefined ? store : observedKeyStore(store, observe);
    },
    generations: (generations) =>
      metrics === null || onStore === null ? generations : observedGenerations(generations, onStore, countGenerations(metrics)),
    sharedCache: (cache) =>
      redisObserver === undefined
        ? cache
        : observedSharedCache(cache, redisObserver, metrics === null ? null : countMessages(metrics), monotonicMs),
    sharedLedger: (ledger) => (redisObserver === undefined ? ledger : observedLedger(ledger, redisObserver)),
    reader: (reader) => (traces === null ? reader : observedReader(reader, traces.onReader)),
    verify: (verify) => verifications.reduce(observedVerify, verify),
    verifyMany: (verifyMany) => verifications.reduce(observedVerifyMany, verifyMany),
  };
}

function byBoth(one: Observe | null, other: Observe | undefined): Observe | undefined {
  return one === null || other === undefined ? (one ?? other) : observeByBoth(one, other);
}
