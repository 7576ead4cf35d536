import type { CacheGeneration } from "../ports/cache-generation.ts";
import type { SharedCache } from "../ports/shared-cache.ts";
import { beatIdOf } from "./beat-id.ts";

/** Heartbeats of this process through the shared cache. One that returns proves that every change published before it was received. */
export interface Heartbeats {
  /** Sends one, if there is a shared cache to send it through. */
  send(generation: CacheGeneration): void;
  /**
   * Handles a heartbeat. It has returned if this process sent this id. It proves something only if it came through the generation's own
   * server.
   */
  heard(beatId: string, isThroughOwnServer: boolean): void;
  /** Returns the age of the last proof; Infinity if it is no longer valid. */
  proofAgeMs(nowMs: number): number;
  /** Messages may be missing: the existing proof is no longer valid. */
  forgetProof(): void;
}

export interface HeartbeatsOptions {
  readonly shared: SharedCache;
  readonly monotonicMs: () => number;
  /** How long a heartbeat is a proof after it was sent. */
  readonly leaseMs: number;
  readonly createBeatId: () => string;
}

export function createHeartbeats({ shared, monotonicMs, leaseMs, createBeatId }: HeartbeatsOptions): Heartbeats {
  let provenSinceMs = Number.NEGATIVE_INFINITY;
  const sentMsByBeat = new Map<string, number>();
  return {
    send(generation) {
      if (shared.cacheId === null) return;
      const nowMs = monotonicMs();
      for (const [beatId, sentMs] of sentMsByBeat) if (nowMs - sentMs > leaseMs) sentMsByBeat.delete(beatId);
      const beatId = beatIdOf(generation, createBeatId());
      sentMsByBeat.set(beatId, nowMs);
      shared.beat(beatId);
    },
    heard(beatId, isThroughOwnServer) {
      const sentMs = sentMsByBeat.get(beatId);
      if (sentMs === undefined) return;
      sentMsByBeat.delete(beatId);
      if (isThroughOwnServer) provenSinceMs = Math.max(provenSinceMs, sentMs);
    },
    proofAgeMs: (nowMs) => nowMs - provenSinceMs,
    forgetProof() {
      provenSinceMs = Number.NEGATIVE_INFINITY;
    },
  };
}

/** For a process without a shared cache: while no other process has one either, there are no announcements to miss. */
export const noHeartbeats: Heartbeats = { send() {}, heard() {}, proofAgeMs: () => 0, forgetProof() {} };
