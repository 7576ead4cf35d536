import type { Call, Interceptor } from "../../call/call.ts";
import type { CallObserver } from "../../call/observe.ts";
import type { Observe } from "../../observed/observe.ts";
import type { ObserveReading } from "../../observed/record-reader.ts";
import type { ObserveVerifications } from "../../observed/verify.ts";

/** Creates spans. They contain the operation, its outcome and its duration; never a key, a caller, an address, or content of a request. */
export interface Traces {
  readonly calls: CallObserver;
  /** Adds the work of a method to its call's trace. */
  readonly interceptor: Interceptor;
  readonly onReader: ObserveReading;
  readonly onRedis: Observe;
  readonly verifications: ObserveVerifications;
  onStore(system: string): Observe;
  /** The trace of a call; undefined if the call is not traced. */
  traceIdOf(call: Call): string | undefined;
  /** Sends the remaining spans, within two seconds. Never rejects. */
  close(): Promise<void>;
}
