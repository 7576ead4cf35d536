import { once } from "node:events";
import { type AddressInfo, connect as dial } from "node:net";
import { type Duplex, pipeline } from "node:stream";
import { createServer as createTlsServer } from "node:tls";
import type { Redis } from "ioredis";
import { afterEach, expect, test } from "vitest";
import type { CacheEntry } from "../../../src/ports/record-cache.ts";
import { describeSharedCache } from "../../contract/shared-cache.ts";
import { connected, until } from "../../support/cache-listener.ts";
import { selfSigned } from "../../support/certificates.ts";
import { describeOnRedis } from "../../support/describe-on-redis.ts";
import { keyRecord } from "../../support/key-record.ts";
import { openRedisSharedCache } from "../../support/redis-cache.ts";
import { ownRedis, withRedis } from "../../support/redis-groups.ts";

await describeOnRedis("access to Redis", () => {
  /** The commands that docs/operations.md lists. */
  const needed = ["+info", "+get", "+mget", "+getrange", "+set", "+del", "+eval", "+evalsha", "+subscribe", "+publish", "+ping"];
  /** Long, because the machine may be busy. */
  const timeoutMs = 2000;
  const password = "p@ss/hush:word";
  const login = `app:${encodeURIComponent(password)}@`;
  const user = ["--user", "default", "off", "--user", "app", "on", `>${password}`, "~kw1:*", "&kw1:*"];

  const cleanups: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  describeSharedCache("an ACL user with only the required commands", async () => {
    const server = await ownRedis([...user, ...needed]);
    return {
      open: () => openRedisSharedCache({ namespace: "test", uri: `redis://${login}127.0.0.1:${server.port}`, timeoutMs }),
      dispose: () => server.stop(),
    };
  });

  describeSharedCache("another database", async () => {
    const server = await ownRedis([...user, ...needed, "+select"]);
    return {
      open: () => openRedisSharedCache({ namespace: "test", uri: `redis://${login}127.0.0.1:${server.port}/5`, timeoutMs }),
      dispose: () => server.stop(),
    };
  });

  describeSharedCache("TLS", async () => {
    const certificate = selfSigned("localhost");
    const server = await ownRedis();
    // Not every redis-server is built with TLS.
    const sockets = new Set<Duplex>();
    const terminator = createTlsServer(certificate, (outside) => {
      const inside = dial(server.port, "127.0.0.1");
      pipeline(outside, inside, outside, () => {});
      sockets.add(outside);
    }).listen(0, "localhost");
    await once(terminator, "listening");
    const { port } = terminator.address() as AddressInfo;
    const open = (options: { tlsCa?: Buffer }) =>
      openRedisSharedCache({ namespace: "test", uri: `rediss://localhost:${port}`, timeoutMs, ...options });
    const distrusting = await open({});
    return {
      open: () => open({ tlsCa: certificate.cert }),
      async dispose() {
        expect(distrusting.cacheId).toBeNull();
        await distrusting.close();
        for (const socket of sockets) socket.destroy();
        terminator.close();
        await server.stop();
      },
    };
  });

  test.each([
    ["a wrong password", `redis://app:wrong-${encodeURIComponent(password)}@`, "WRONGPASS"],
    ["no password", "redis://", "NOAUTH"],
  ])("with %s it never connects, and the log does not contain the password", async (_, prefix, code) => {
    const server = await ownRedis([...user, "+@all"]);
    cleanups.push(() => server.stop());
    const lines: string[] = [];
    const note = (fields: unknown, message: string) => void lines.push(JSON.stringify([fields, message]));
    const cache = await openRedisSharedCache({
      namespace: "test",
      uri: `${prefix}127.0.0.1:${server.port}`,
      timeoutMs,
      log: { info: note, warn: note },
    });
    cleanups.push(() => cache.close());
    const triedAgain = async (client: Redis) => {
      const connections = async () => Number(/total_connections_received:(\d+)/.exec(await client.info("stats"))?.[1]);
      const before = await connections();
      await until(async () => (await connections()) >= before + 2, "tried again twice");
    };
    await withRedis(server.port, triedAgain, { username: "app", password });
    expect(cache.cacheId).toBeNull();
    expect(lines).toHaveLength(1);
    expect(lines.join()).toContain(code);
    expect(lines.join()).not.toContain("hush");
  });

  test("the cache of a read-only user accepts no changes", async () => {
    const server = await ownRedis([...user, "+info", "+get", "+mget", "+subscribe", "+ping"]);
    cleanups.push(() => server.stop());
    const warnings: unknown[] = [];
    const log = { info: () => {}, warn: (fields: unknown) => void warnings.push(fields) };
    const cache = await openRedisSharedCache({ namespace: "test", uri: `redis://${login}127.0.0.1:${server.port}`, timeoutMs, log });
    cleanups.push(() => cache.close());
    const cacheId = await connected(cache);
    const entry: CacheEntry = { record: keyRecord(), revision: 1, deadlineMs: Date.now() + 60_000 };
    cache.fill(1, "default", keyRecord().keyId, entry);
    expect(await cache.announce(1, "default", [[keyRecord().keyId, entry]])).toBeNull();
    expect(await cache.read(1, "default", [keyRecord().keyId])).toEqual({ cacheId, entries: [undefined] });
    expect(warnings).toEqual([{ reason: "Redis answered NOPERM" }]);
  });

  test("two databases of one server are two caches", async () => {
    const server = await ownRedis();
    cleanups.push(() => server.stop());
    const ids: string[] = [];
    for (const db of [0, 1]) {
      const cache = await openRedisSharedCache({ namespace: "test", uri: `${server.uri}/${db}` });
      cleanups.push(() => cache.close());
      ids.push(await connected(cache));
    }
    expect(new Set(ids).size).toBe(2);
    expect(await withRedis(server.port, (client) => client.dbsize())).toBe(0);
  });
});
