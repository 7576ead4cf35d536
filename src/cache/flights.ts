import { mapKeyOf } from "../core/tenant.ts";
import type { CacheTrust } from "./trust.ts";

/** One load of a key, and what happened to the key meanwhile. */
export interface Flight<T> {
  readonly keyId: string;
  /** The trust's epoch when it began. */
  readonly epoch: number;
  /** True if it asks only the store, for a caller that may get nothing from the caches. */
  readonly isBypass: boolean;
  /** True after the key changed during the load: the result may be outdated and must not be kept. */
  readonly superseded: boolean;
  /** The result, for all callers that wait for the load. */
  readonly result: Promise<T>;
  /** Ends the flight with a result. */
  land(answer: T): void;
  /** Ends the flight with an error. */
  fail(error: unknown): void;
}

/** Loads in progress, by key. */
export interface Flights<T> {
  /** Returns a flight to wait for: one that began a moment ago, in the same epoch, and was not superseded. */
  find(tenant: string, keyId: string, epoch: number): Flight<T> | undefined;
  /** Starts a new flight, whatever is in progress. The caller must end it with `land` or `fail`. */
  start(tenant: string, keyId: string, epoch: number, isBypass?: boolean): Flight<T>;
  /** Call after the key changed: its flights are no longer found. */
  supersede(tenant: string, keyId: string): void;
}

interface Running<T> extends Flight<T> {
  superseded: boolean;
  readonly startedMs: number;
}

/** A flight older than this is not found, because those who wait for it may get what was read when it began. */
const maxJoinAgeMs = 500;

export function createFlights<T>(monotonicMs: () => number): Flights<T> {
  const running = new Map<string, Set<Running<T>>>();

  const remove = (key: string, flight: Running<T>) => {
    const ofKey = running.get(key);
    ofKey?.delete(flight);
    if (ofKey?.size === 0) running.delete(key);
  };

  return {
    find(tenant, keyId, epoch) {
      for (const flight of running.get(mapKeyOf(tenant, keyId)) ?? []) {
        if (!flight.superseded && flight.epoch === epoch && monotonicMs() - flight.startedMs < maxJoinAgeMs) return flight;
      }
      return undefined;
    },

    start(tenant, keyId, epoch, isBypass = false) {
      const key = mapKeyOf(tenant, keyId);
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      const flight: Running<T> = {
        keyId,
        epoch,
        isBypass,
        superseded: false,
        startedMs: monotonicMs(),
        result: promise,
        land(answer) {
          remove(key, flight);
          resolve(answer);
        },
        fail(error) {
          remove(key, flight);
          reject(error);
        },
      };
      const ofKey = running.get(key);
      if (ofKey === undefined) running.set(key, new Set([flight]));
      else ofKey.add(flight);
      return flight;
    },

    supersede(tenant, keyId) {
      for (const flight of running.get(mapKeyOf(tenant, keyId)) ?? []) flight.superseded = true;
    },
  };
}

/** The result of a flight may be kept only if nothing has put it in doubt since the flight began. */
export function isSound(flight: Flight<unknown>, trust: Pick<CacheTrust, "epoch">): boolean {
  return !flight.superseded && flight.epoch === trust.epoch;
}
