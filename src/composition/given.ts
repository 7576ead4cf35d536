import { openStore } from "../adapters/open.ts";
import type { Config, Secrets } from "../config/config.ts";
import type { Log } from "../telemetry/log.ts";

/** What a test can replace. */
export interface Parts {
  readonly clock: () => number;
  readonly monotonicMs: () => number;
  readonly openStore: typeof openStore;
}

export const ownParts: Parts = { clock: Date.now, monotonicMs: () => performance.now(), openStore };

/** What the app is made from. */
export interface Given extends Parts {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly log: Log;
  readonly version: string;
  /** Takes everything that has to be closed. It is closed in reverse order. */
  readonly closing: AsyncDisposableStack;
}
