import { openStore } from "../adapters/open.ts";
import type { Config, Secrets } from "../config/config.ts";
import type { Log } from "../ports/log.ts";

/** Parts that a test can replace. */
export interface Parts {
  readonly clock: () => number;
  readonly monotonicMs: () => number;
  readonly openStore: typeof openStore;
}

export const ownParts: Parts = { clock: Date.now, monotonicMs: () => performance.now(), openStore };

/** The inputs of the app. */
export interface Given extends Parts {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly log: Log;
  readonly version: string;
  /** Everything to close at the end, in reverse order. */
  readonly closing: AsyncDisposableStack;
}
