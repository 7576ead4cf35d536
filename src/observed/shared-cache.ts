import type { SharedCache } from "../ports/shared-cache.ts";
import { isNull, type Observe } from "./observe.ts";

/** Observes the messages that processes send each other through the shared cache. */
export interface ObserveMessages {
  /** Records that a heartbeat of this process returned `delayMs` after it was sent. */
  beat(delayMs: number): void;
  change(): void;
  gap(): void;
}

/** Maximum heartbeats that are waited for. Older ones are lost, or too late to be useful. */
const maxBeats = 100;

/** Observes the reads and the messages of the shared cache. Fills are not observed, because no caller waits for them. */
export function observedSharedCache(
  cache: SharedCache,
  observe: Observe,
  messages: ObserveMessages | null,
  monotonicMs: () => number,
): SharedCache {
  const beats = new Map<string, number>();
  return {
    get cacheId() {
      return cache.cacheId;
    },
    read: (...given) => observe("read", () => cache.read(...given), isNull),
    fill: (...given) => cache.fill(...given),
    announce: (...given) => observe("announce", () => cache.announce(...given), isNull),
    beat(beatId) {
      if (beats.size >= maxBeats) beats.clear();
      beats.set(beatId, monotonicMs());
      cache.beat(beatId);
    },
    subscribe(listener) {
      cache.subscribe({
        onChange(...given) {
          messages?.change();
          listener.onChange(...given);
        },
        onBeat(beatId, cacheId) {
          const sentMs = beats.get(beatId);
          if (sentMs !== undefined) messages?.beat(monotonicMs() - sentMs);
          beats.delete(beatId);
          listener.onBeat(beatId, cacheId);
        },
        onGap() {
          beats.clear();
          messages?.gap();
          listener.onGap();
        },
      });
    },
    close: () => cache.close(),
  };
}
