/** One way down to the store, and what happened to its key meanwhile. */
export interface Flight {
  /** The trust's epoch when it began. */
  readonly epoch: number;
  /** The key changed since it began: what it brings back may be old, and must not be kept. */
  superseded: boolean;
}

export interface Flights<T> {
  /** Runs `load`, or waits for one of the same key that began a moment ago, at the same epoch, and was not superseded. */
  join(tenant: string, keyId: string, epoch: number, load: (flight: Flight) => Promise<T>): Promise<T>;
  /** Runs `load`, whatever is under way. */
  start(tenant: string, keyId: string, epoch: number, load: (flight: Flight) => Promise<T>): Promise<T>;
  /** The key changed: nobody joins its flights any more. */
  supersede(tenant: string, keyId: string): void;
}

interface Running<T> extends Flight {
  readonly startedMs: number;
  readonly result: Promise<T>;
}

/** A flight older than this is not joined: whoever joins may be handed what was read when it began. */
const maxJoinAgeMs = 500;

/** Loads under way, by key. */
export function createFlights<T>(monotonicMs: () => number): Flights<T> {
  const running = new Map<string, Set<Running<T>>>();

  const start: Flights<T>["start"] = (tenant, keyId, epoch, load) => {
    const key = `${tenant}\0${keyId}`;
    const flight = { epoch, superseded: false, startedMs: monotonicMs() };
    const ofKey = running.get(key) ?? new Set();
    running.set(key, ofKey);
    const result = load(flight).finally(() => {
      ofKey.delete(started);
      if (ofKey.size === 0 && running.get(key) === ofKey) running.delete(key);
    });
    const started: Running<T> = Object.assign(flight, { result });
    ofKey.add(started);
    return result;
  };

  return {
    start,

    join(tenant, keyId, epoch, load) {
      for (const flight of running.get(`${tenant}\0${keyId}`) ?? []) {
        if (!flight.superseded && flight.epoch === epoch && monotonicMs() - flight.startedMs < maxJoinAgeMs) return flight.result;
      }
      return start(tenant, keyId, epoch, load);
    },

    supersede(tenant, keyId) {
      for (const flight of running.get(`${tenant}\0${keyId}`) ?? []) flight.superseded = true;
    },
  };
}
