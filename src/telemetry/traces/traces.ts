import type { Call, Interceptor } from "../../call/call.ts";
import type { CallObserver } from "../../call/observe.ts";
import type { Observe } from "../../observed/observe.ts";
import type { ObserveReading } from "../../observed/record-reader.ts";
import type { ObserveVerifications } from "../../observed/verify.ts";

/** Where spans come from. They say what was done, how it came out and how long it took: no key, caller, address, or anything of a request. */
export interface Traces {
  readonly calls: CallObserver;
  /** Makes what a method does part of its call's trace. */
  readonly interceptor: Interceptor;
  readonly onReader: ObserveReading;
  readonly onRedis: Observe;
  readonly verifications: ObserveVerifications;
  onStore(system: string): Observe;
  /** Of a call that is traced; undefined for the others. */
  traceIdOf(call: Call): string | undefined;
  /** Sends what is left, within two seconds. Never rejects. */
  close(): Promise<void>;
}
