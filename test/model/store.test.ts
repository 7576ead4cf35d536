import type { CacheGeneration } from "../../src/ports/cache-generation.ts";
import { describeCacheGeneration } from "../contract/cache-generation.ts";
import { createHost } from "./host.ts";
import { createLink } from "./link.ts";
import { createScheduler } from "./scheduler.ts";
import { connectStore, createStoreState } from "./store.ts";

const timeoutMs = 500;

// The model's proofs depend on its store, so it must meet the contract of the real one.
describeCacheGeneration("the model's store", async () => {
  const scheduler = createScheduler(1);
  const state = createStoreState();
  let processes = 0;

  /** Advances virtual time until the call must have ended. */
  const settle = async (call: Promise<CacheGeneration>): Promise<CacheGeneration> => {
    const ended = Promise.allSettled([call]);
    await scheduler.runUntil(scheduler.nowMs() + 2 * timeoutMs);
    await ended;
    return call;
  };

  return {
    async open() {
      const link = createLink(scheduler, { isOrdered: false });
      const host = createHost(processes++, scheduler);
      const { generations } = connectStore(state, link, host, scheduler, timeoutMs);
      return {
        generations: {
          read: () => settle(generations.read()),
          advance: (from, cacheId) => settle(generations.advance(from, cacheId)),
        },
        cutOff: async () => link.cut("silent"),
      };
    },
    dispose: async () => {},
  };
});
