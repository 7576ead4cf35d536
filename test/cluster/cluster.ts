import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { generateJwkSet } from "../../src/config/signing-key.ts";
import { type MongoServer, startMongo } from "../support/mongo-server.ts";
import { type RedisServer, startRedis } from "../support/redis-server.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";
import { type ProxyMode, startTcpProxy } from "../support/tcp-proxy.ts";
import { type HttpClient, openHttpClient } from "./http-client.ts";

/** One Keywright process, with its own connection to each of its backends. */
export interface Node {
  readonly name: string;
  readonly server: ServerProcess;
  readonly http: HttpClient;
  /** Its connections to redis-server. */
  setRedis(mode: ProxyMode): void;
  /** Its connections to all mongods, or to those at these positions. */
  setMongo(mode: ProxyMode, positions?: readonly number[]): void;
}

export interface Cluster extends AsyncDisposable {
  readonly nodes: readonly Node[];
  readonly mongo: MongoServer;
  readonly redis: RedisServer;
}

export interface ClusterOptions {
  readonly nodeCount?: number;
  readonly mongoMembers?: 1 | 3;
  /** Settings in addition to store, cache and secrets. */
  readonly env?: Readonly<Record<string, string>>;
  /** The same for single nodes, by position. */
  readonly nodeEnv?: readonly Readonly<Record<string, string>>[];
}

const detourFile = pathToFileURL(join(import.meta.dirname, "detour.ts")).href;

/** Starts Keywright processes over one replica set and one redis-server. Rejects if there is no mongod or no redis-server. */
export async function startCluster({ nodeCount = 3, mongoMembers = 3, env = {}, nodeEnv = [] }: ClusterOptions = {}): Promise<Cluster> {
  await using resources = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "keywright-cluster-"));
  resources.defer(() => rm(folder, { recursive: true, force: true }));
  const mongo = available<MongoServer>(await startMongo({ members: mongoMembers }));
  resources.defer(() => mongo.stop());
  const redis = available<RedisServer>(await startRedis({ own: true }));
  resources.defer(() => redis.stop());
  const signingKeys = join(folder, "signing-keys.json");
  await writeFile(signingKeys, await generateJwkSet(), { mode: 0o600 });
  const shared = {
    KEYWRIGHT_STORE: mongo.uri.replace("/?", "/cluster?"),
    KEYWRIGHT_SECRET: randomBytes(32).toString("hex"),
    KEYWRIGHT_ADMIN_TOKEN: randomBytes(32).toString("hex"),
    KEYWRIGHT_SIGNING_KEYS: pathToFileURL(signingKeys).href,
    KEYWRIGHT_ISSUER: "https://keys.example.test",
    ...env,
  };
  const starts = Array.from({ length: nodeCount }, (_, index) =>
    startNode(`server ${index + 1}`, { mongo, redis }, { ...shared, ...nodeEnv[index] }, resources),
  );
  // Waits for all, because a node that still starts when another fails must be stopped too.
  await Promise.allSettled(starts);
  const nodes = await Promise.all(starts);
  const owned = resources.move();
  return { nodes, mongo, redis, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function startNode(
  name: string,
  backends: { readonly mongo: MongoServer; readonly redis: RedisServer },
  shared: Readonly<Record<string, string>>,
  resources: AsyncDisposableStack,
): Promise<Node> {
  const toRedis = await startTcpProxy(backends.redis.port);
  const toMongo = await Promise.all(backends.mongo.members.map(({ port }) => startTcpProxy(port)));
  for (const proxy of [toRedis, ...toMongo]) resources.defer(() => proxy.close());
  const detours = Object.fromEntries(backends.mongo.members.map(({ port }, index) => [port, toMongo[index]?.port]));
  const server = await startServer({
    env: {
      KEYWRIGHT_CACHE: `redis://127.0.0.1:${toRedis.port}`,
      ...shared,
      NODE_OPTIONS: `--import ${detourFile}`,
      TEST_DETOURS: JSON.stringify(detours),
    },
  });
  const http = openHttpClient(server.port, server.adminToken);
  resources.defer(async () => {
    http.close();
    await server.kill();
    await server[Symbol.asyncDispose]();
  });
  return {
    name,
    server,
    http,
    setRedis: (mode) => toRedis.set(mode),
    setMongo(mode, positions) {
      for (const [index, proxy] of toMongo.entries()) if (positions?.includes(index) ?? true) proxy.set(mode);
    },
  };
}

function available<T extends MongoServer | RedisServer>(server: T | { readonly unavailable: string }): T {
  if ("unavailable" in server) throw new Error(server.unavailable);
  return server;
}
