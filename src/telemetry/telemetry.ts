import type { ObserveRead } from "../cache/reading.ts";
import type { RecordReader } from "../cache/record-reader.ts";
import type { Admission, Call, Interceptor } from "../call/call.ts";
import { type CallObserver, observeAdmission } from "../call/observe.ts";
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
import type { Log } from "../ports/log.ts";
import type { SharedCache } from "../ports/shared-cache.ts";
import type { Verify } from "../service/verify.ts";
import type { VerifyMany } from "../service/verify-many.ts";
import { countCalls } from "./metrics/calls.ts";
import { countGenerations, countMessages, countReads, countVerifications } from "./metrics/counts.ts";
import type { Metrics } from "./metrics/metrics.ts";
import { timeOperations } from "./metrics/operations.ts";
import type { Traces } from "./traces/traces.ts";

/** Wraps the observed parts with observers. Without an observer, returns the parts unchanged, so that this costs nothing. */
export interface Telemetry {
  /** The outermost interceptor. */
  readonly interceptors: readonly Interceptor[];
  readonly observeRead: ObserveRead | undefined;
  /** Returns the trace of a call, its caller's or our own; undefined if it has none. */
  traceIdOf(call: Call): string | undefined;
  /** Observes every call, for metrics and traces and with `log`. */
  admission(admit: Admission, log: CallObserver): Admission;
  /** Returns a function that logs and counts our own faults that no observed call reports. */
  reportFaults(log: Log): (error: unknown) => void;
  keyStore(store: KeyStore, system: string): KeyStore;
  generations(generations: CacheGenerationStore): CacheGenerationStore;
  sharedCache(cache: SharedCache): SharedCache;
  sharedLedger(ledger: SharedLedger): SharedLedger;
  reader(reader: RecordReader): RecordReader;
  verify(verify: Verify): Verify;
  verifyMany(verifyMany: VerifyMany): VerifyMany;
}

/** Null for each part that is off. */
export function createTelemetry(metrics: Metrics | null, traces: Traces | null, monotonicMs: () => number): Telemetry {
  const calls = [metrics && countCalls(metrics, monotonicMs), traces?.calls].filter((observer) => observer != null);
  const onStore = metrics && timeOperations(metrics.storeDuration, metrics.storeErrors, monotonicMs);
  const onRedis = metrics && timeOperations(metrics.redisDuration, metrics.redisErrors, monotonicMs);
  const redisObserver = byBoth(onRedis, traces?.onRedis);
  const verifications = [metrics && countVerifications(metrics), traces?.verifications].filter((observe) => observe != null);
  return {
    interceptors: traces === null ? [] : [traces.interceptor],
    observeRead: metrics === null ? undefined : countReads(metrics),
    traceIdOf: (call) => traces?.traceIdOf(call) ?? parseTraceparent(call.requestHeader("traceparent"))?.traceId,
    admission: (admit, log) => observeAdmission([...calls, log], admit),
    reportFaults: (log) => (error) => {
      if (metrics !== null) metrics.faults.of().value += 1;
      log.error({ error }, "a protocol handler failed");
    },
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
