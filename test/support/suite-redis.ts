import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { ownRedis } from "./redis-groups.ts";
import type { RedisServer } from "./redis-server.ts";

/** Starts a server for all tests of a suite. Call it in `describe`; the returned function returns a client of the server in tests. */
export function redisOfSuite(): () => Redis {
  let server: RedisServer | undefined;
  let client: Redis | undefined;
  beforeAll(async () => {
    server = await ownRedis();
    client = new Redis({ port: server.port, host: "127.0.0.1" });
  });
  afterAll(async () => {
    client?.disconnect();
    await server?.stop();
  });
  return () => client as Redis;
}

export interface RedisOfTest {
  readonly server: RedisServer;
  /** Called after the test, the last one first, and before the server stops. */
  readonly cleanups: (() => Promise<unknown>)[];
}

/** Starts a server for each test of a suite, which may kill it. Call it in `describe`. */
export function redisOfTest(): RedisOfTest {
  const cleanups: (() => Promise<unknown>)[] = [];
  let server: RedisServer | undefined;
  beforeEach(async () => {
    const started = await ownRedis();
    server = started;
    cleanups.push(() => started.stop());
  });
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });
  return {
    get server() {
      return server as RedisServer;
    },
    cleanups,
  };
}
