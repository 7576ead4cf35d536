import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { serverBinary } from "../../scripts/test-servers.ts";
import { until } from "./cache-listener.ts";
import { freePorts } from "./free-port.ts";
import { type RedisServer, startRedis } from "./redis-server.ts";
import { startServerChild } from "./server-child.ts";

/** Starts our own server, which can be killed. Throws if that is not possible. */
export async function ownRedis(args: readonly string[] = [], port?: number): Promise<RedisServer> {
  const server = await startRedis({ own: true, args, ...(port === undefined ? {} : { port }) });
  if ("unavailable" in server) throw new Error(server.unavailable);
  return server;
}

/** Runs commands on a server over a separate connection. */
export async function withRedis<T>(
  port: number,
  use: (client: Redis) => Promise<T>,
  login: { readonly username?: string; readonly password?: string } = {},
): Promise<T> {
  const client = new Redis({ ...login, port, host: "127.0.0.1", retryStrategy: () => null, enableReadyCheck: false });
  client.on("error", () => {});
  try {
    return await use(client);
  } finally {
    client.disconnect();
  }
}

export interface SentinelGroup {
  readonly uri: string;
  readonly master: RedisServer;
  readonly replica: RedisServer;
  stop(): Promise<void>;
}

/** A master, a replica in sync with it, and three sentinels that promote the replica half a second after the master stops answering. */
export async function startSentinelGroup(): Promise<SentinelGroup> {
  const settings = ["--repl-diskless-sync-delay", "0"];
  const master = await ownRedis(settings);
  const replica = await ownRedis([...settings, "--replicaof", "127.0.0.1", String(master.port)]);
  await withRedis(replica.port, (client) =>
    until(async () => (await client.info("replication")).includes("master_link_status:up"), "replica in sync"),
  );
  const dir = await mkdtemp(join(tmpdir(), "keywright-sentinels-"));
  const binary = await serverBinary("redis-server");
  const ports = await freePorts(3);
  const sentinels = await Promise.all(
    ports.map(async (port) => {
      const config = join(dir, `${port}.conf`);
      const lines = [
        `port ${port}`,
        "bind 127.0.0.1",
        `dir ${dir}`,
        `sentinel monitor main 127.0.0.1 ${master.port} 2`,
        "sentinel down-after-milliseconds main 500",
        "sentinel failover-timeout main 3000",
      ];
      await writeFile(config, `${lines.join("\n")}\n`);
      return startServerChild(binary, [config, "--sentinel"], port);
    }),
  );
  await Promise.all(
    ports.map((port) =>
      withRedis(port, (client) =>
        until(async () => {
          const facts = (await client.call("SENTINEL", "master", "main")) as string[];
          const fact = (name: string) => facts[facts.indexOf(name) + 1];
          return fact("num-other-sentinels") === "2" && fact("num-slaves") === "1";
        }, "sentinels know each other and the replica"),
      ),
    ),
  );
  return {
    uri: `redis+sentinel://${ports.map((port) => `127.0.0.1:${port}`).join(",")}/main`,
    master,
    replica,
    async stop() {
      await Promise.all(sentinels.map((sentinel) => sentinel.kill("SIGKILL")));
      await Promise.all([master.stop(), replica.stop()]);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export interface RedisCluster {
  readonly uri: string;
  readonly nodes: readonly RedisServer[];
  stop(): Promise<void>;
}

/** Three masters, each with a third of the slots. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const busPorts = await freePorts(3);
  const nodes = await Promise.all(
    busPorts.map((busPort) => ownRedis(["--cluster-enabled", "yes", "--cluster-port", String(busPort), "--cluster-node-timeout", "1000"])),
  );
  const bounds = [0, 5461, 10_923, 16_384];
  for (const [index, { port }] of nodes.entries()) {
    await withRedis(port, async (client) => {
      await client.call("CLUSTER", "SET-CONFIG-EPOCH", index + 1);
      await client.call("CLUSTER", "ADDSLOTSRANGE", bounds[index] as number, (bounds[index + 1] as number) - 1);
      if (index > 0) await client.call("CLUSTER", "MEET", "127.0.0.1", (nodes[0] as RedisServer).port, busPorts[0] as number);
    });
  }
  for (const { port } of nodes) {
    await withRedis(port, (client) =>
      until(async () => {
        const info = String(await client.call("CLUSTER", "INFO"));
        const slots = (await client.call("CLUSTER", "SLOTS")) as unknown[];
        return info.includes("cluster_state:ok") && info.includes("cluster_known_nodes:3") && slots.length === 3;
      }, "cluster is up"),
    );
  }
  return {
    uri: `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(",")}`,
    nodes,
    async stop() {
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}
