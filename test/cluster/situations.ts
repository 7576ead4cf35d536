import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Redis } from "ioredis";
import { MongoClient } from "mongodb";
import type { Cluster, Node } from "./cluster.ts";
import type { Fault } from "./episode.ts";

/** One row of the table of bounds in docs/guarantees.md, as a situation. */
export interface Situation {
  readonly name: string;
  /** A change must hold at the other nodes within this time. */
  readonly boundMs: number;
  /** True if only the cache has a fault, so that every verification must return 200. */
  readonly storeIsWell: boolean;
  /** Null: no fault. */
  readonly fault: ((cluster: Cluster) => Fault) | null;
}

const healthyMs = 100;
const faultMs = 2000;

/** The first node makes the changes. */
export const healthy: Situation = { name: "healthy", boundMs: healthyMs, storeIsWell: true, fault: null };

export const changerCutFromRedis: Situation = cutFromRedis("the changing server cut off from Redis, silently", 0, "silent");

export const secondCutFromRedis: Situation = cutFromRedis("second server cut off from Redis, silently", 1, "silent");

export const primarySteppedDown: Situation = {
  name: "primary mongod stepped down",
  boundMs: healthyMs,
  storeIsWell: false,
  fault: ({ mongo }) => ({ begin: () => stepDown(mongo.uri), end: async () => {} }),
};

export const secondCutFromMongo: Situation = {
  name: "second server cut off from MongoDB, silently",
  boundMs: healthyMs,
  storeIsWell: false,
  fault: ({ nodes }) => {
    const cut = nodes[1] as Node;
    return { begin: async () => cut.setMongo("silent"), end: async () => cut.setMongo("pass") };
  },
};

export const situations: readonly Situation[] = [
  healthy,
  {
    name: "redis-server stopped (SIGSTOP)",
    boundMs: faultMs,
    storeIsWell: true,
    fault: ({ redis }) => ({ begin: () => redis.kill("SIGSTOP"), end: () => redis.kill("SIGCONT") }),
  },
  {
    name: "redis-server killed, restarted empty after 2 s",
    boundMs: faultMs,
    storeIsWell: true,
    fault: ({ redis }) => ({ prepare: () => dropSnapshot(redis.dir), begin: () => redis.kill("SIGKILL"), end: () => redis.restart() }),
  },
  {
    name: "redis-server killed and restarted empty at once",
    boundMs: faultMs,
    storeIsWell: true,
    fault: ({ redis }) => ({ prepare: () => dropSnapshot(redis.dir), begin: () => restart(redis), end: async () => {} }),
  },
  {
    name: "redis-server restarted from an old snapshot",
    boundMs: faultMs,
    storeIsWell: true,
    fault: ({ redis }) => ({ prepare: () => saveSnapshot(redis.port), begin: () => restart(redis), end: () => dropSnapshot(redis.dir) }),
  },
  changerCutFromRedis,
  secondCutFromRedis,
  cutFromRedis("third server cut off from Redis, silently", 2, "silent"),
  cutFromRedis("the changing server cut off from Redis, loudly", 0, "cut"),
  cutFromRedis("second server cut off from Redis, loudly", 1, "cut"),
  primarySteppedDown,
  secondCutFromMongo,
];

function cutFromRedis(name: string, index: number, mode: "silent" | "cut"): Situation {
  const fault = ({ nodes }: Cluster): Fault => {
    const cut = nodes[index] as Node;
    return { begin: async () => cut.setRedis(mode), end: async () => cut.setRedis("pass") };
  };
  return { name, boundMs: faultMs, storeIsWell: true, fault };
}

async function restart(redis: Cluster["redis"]): Promise<void> {
  await redis.kill("SIGKILL");
  await redis.restart();
}

async function saveSnapshot(port: number): Promise<void> {
  const client = new Redis(port, "127.0.0.1");
  await client.save();
  client.disconnect();
}

function dropSnapshot(dir: string): Promise<void> {
  return rm(join(dir, "dump.rdb"), { force: true });
}

async function stepDown(uri: string): Promise<void> {
  await using client = new MongoClient(uri);
  await client.db("admin").command({ replSetStepDown: 5, secondaryCatchUpPeriodSecs: 3 });
}
