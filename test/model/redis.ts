import { createRedisServer, type Data, type RedisServer, type RedisServerOptions } from "./redis-server.ts";
import type { Scheduler } from "./scheduler.ts";

/** The server that is the cache at a moment. */
export interface Redis {
  serverOf(processId: number): RedisServer;
  hang(): void;
  goOn(): void;
  /** Starts another run of the server: empty, or with its data from this many milliseconds ago. */
  restart(ageMs: number | null): void;
  /** A replica takes over with slightly older data. `stay` returns the processes that continue with the old master, until `reunite`. */
  failOver(stay: (processId: number) => boolean): void;
  reunite(): void;
}

const snapshotIntervalMs = 200;
const keptSnapshots = 30;

export function createRedis(scheduler: Scheduler, options: Omit<RedisServerOptions, "data">): Redis {
  let runs = 0;
  let snapshots: { readonly atMs: number; readonly data: Data }[] = [];
  let master = start();
  let former: { readonly server: RedisServer; readonly stays: (processId: number) => boolean } | null = null;

  function start(data?: Data): RedisServer {
    runs += 1;
    return createRedisServer(scheduler, `run${runs}`, { ...options, ...(data === undefined ? {} : { data }) });
  }
  function takeSnapshot() {
    snapshots = [...snapshots, { atMs: scheduler.nowMs(), data: master.snapshot() }].slice(-keptSnapshots);
    scheduler.after(snapshotIntervalMs, takeSnapshot);
  }
  takeSnapshot();

  const dataOf = (ageMs: number): Data | undefined =>
    (snapshots.findLast(({ atMs }) => atMs <= scheduler.nowMs() - ageMs) ?? snapshots[0])?.data;
  const reunite = () => {
    former?.server.die();
    former = null;
  };

  return {
    serverOf: (processId) => (former?.stays(processId) ? former.server : master),
    hang: () => master.hang(),
    goOn: () => master.goOn(),
    restart(ageMs) {
      const old = master;
      master = start(ageMs === null ? undefined : dataOf(ageMs));
      old.die();
    },
    failOver(stays) {
      reunite();
      former = { server: master, stays };
      master = start(dataOf(0));
    },
    reunite,
  };
}
