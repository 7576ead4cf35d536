import type { CacheTrust } from "./trust.ts";

/** One load of a key, and what happened to the key meanwhile. */
export interface Flight<T> {
  readonly keyId: string;
  /** The trust's epoch when it began. */
  readonly epoch: number;
  /** The key changed since it began: what it brings back may be old, and must not be kept. */
  readonly superseded: boolean;
  /** For everyone who waits for the load. */
  readonly result: Promise<T>;
  /** Ends the flight with an answer. */
  land(answer: T): void;
  /** Ends the flight without one. */
  fail(error: unknown): void;
}

/** Loads under way, by key. */
export interface Flights<T> {
  /** A flight to wait for: one that began a moment ago, at the same epoch, and was not superseded. */
  find(tenant: string, keyId: string, epoch: number): Flight<T> | undefined;
  /** A new flight, whatever is under way. Whoever starts it ends it, with `land` or `fail`. */
  start(tenant: string, keyId: string, epoch: number): Flight<T>;
  /** The key changed: its flights are not found any more. */
  supersede(tenant: string, keyId: string): void;
}

interface Running<T> extends Flight<T> {
  superseded: boolean;
  readonly startedMs: number;
}

/** A flight older than this is not found: whoever waits for it may be handed what was read when it began. */
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
      for (const flight of running.get(`${tenant}\0${keyId}`) ?? []) {
        if (!flight.superseded && flight.epoch === epoch && monotonicMs() - flight.startedMs < maxJoinAgeMs) return flight;
      }
      return undefined;
    },

    start(tenant, keyId, epoch) {
      const key = `${tenant}\0${keyId}`;
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      const flight: Running<T> = {
        keyId,
        epoch,
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
      for (const flight of running.get(`${tenant}\0${keyId}`) ?? []) flight.superseded = true;
    },
  };
}

/** What was read on a flight may be kept only while nothing has put it in doubt since the flight began. */
export function isSound(flight: Flight<unknown>, trust: Pick<CacheTrust, "epoch">): boolean {
  return !flight.superseded && flight.epoch === trust.epoch;
}
