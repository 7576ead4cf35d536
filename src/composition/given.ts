import { openStore } from "../adapters/open.ts";
import type { Config, Secrets } from "../config/config.ts";
import type { Log } from "../ports/log.ts";
import { maxOpenFiles } from "../server/open-files.ts";

/** Parts that a test can replace. */
export interface Parts {
  readonly clock: () => number;
  readonly monotonicMs: () => number;
  readonly openStore: typeof openStore;
  /** Returns how many files this process may have open. */
  readonly maxOpenFiles: () => number;
}

export const ownParts: Parts = { clock: Date.now, monotonicMs: () => performance.now(), openStore, maxOpenFiles };

/** The inputs of the app. */
export interface Given extends Parts {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly log: Log;
  readonly version: string;
  /** Everything to close at the end, in reverse order. */
  readonly closing: AsyncDisposableStack;
}
