import { Redis } from "ioredis";
import { UnusableServerError } from "./failures.ts";
import { type ScriptedRedis, scripts } from "./scripts.ts";
import { withTimeout } from "./timeout.ts";
import type { RedisAddress, RedisLogin } from "./uri.ts";

export interface ConnectionOptions {
  readonly login: RedisLogin;
  readonly db: number;
  readonly tls: boolean;
  /** Certificates to trust instead of the system's, in PEM. */
  readonly tlsCa: string | Buffer | undefined;
  /** Time-out of opening a connection, from the first packet until the login succeeds. */
  readonly connectTimeoutMs: number;
}

/**
 * Opens one connection. It never reconnects, never queues commands while it is closed and never sends a command twice, so facts about the
 * server stay true for every reply on this client. Emits `close` when it is lost. Rejects if the server cannot be reached or refuses the
 * login.
 */
export async function openConnection(address: RedisAddress, options: ConnectionOptions): Promise<ScriptedRedis> {
  const client = new Redis({
    host: address.host,
    port: address.port,
    ...options.login,
    db: options.db,
    ...(options.tls ? { tls: options.tlsCa === undefined ? {} : { ca: options.tlsCa } } : {}),
    scripts,
    lazyConnect: true,
    retryStrategy: null as unknown as () => null,
    connectTimeout: options.connectTimeoutMs,
    disconnectTimeout: 1,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    enableReadyCheck: false,
    enableAutoPipelining: true,
    // RESP2 and no CLIENT SETINFO, because a command that is not sent needs no permission.
    protocol: 2,
    disableClientInfo: true,
  }) as ScriptedRedis;
  let cause: unknown;
  client.on("error", (error: unknown) => {
    cause ??= error;
  });
  try {
    await withTimeout(options.connectTimeoutMs, client.connect());
    return client;
  } catch (error) {
    client.disconnect();
    throw cause ?? error;
  }
}

/**
 * Returns what a master calls its data: the run id, which changes with every start of the process, and the replication id, which changes
 * whenever a server becomes the master, even if it was the master before. Rejects with UnusableServerError if the server is not a master
 * that has loaded all its data.
 */
export async function readDataSet(client: Redis): Promise<string> {
  const facts = await readFacts(client, ["server", "replication", "persistence"]);
  const runId = facts.get("run_id") ?? "";
  const replicationId = facts.get("master_replid") ?? "";
  if (runId === "" || replicationId === "") throw new UnusableServerError("the server returned no run id or no replication id");
  if (facts.get("role") !== "master") throw new UnusableServerError("the server is a replica");
  if (facts.get("loading") !== "0") throw new UnusableServerError("the server is loading its data");
  return `${runId} ${replicationId}`;
}

/** Returns the policy by which the server may remove entries of its own accord, or null if it removes none. */
export async function readEvictionPolicy(client: Redis): Promise<string | null> {
  const facts = await readFacts(client, ["memory"]);
  const policy = facts.get("maxmemory_policy") ?? "noeviction";
  return policy === "noeviction" || facts.get("maxmemory") === "0" ? null : policy;
}

async function readFacts(client: Redis, sections: readonly string[]): Promise<Map<string, string>> {
  const texts = await Promise.all(sections.map((section) => client.info(section)));
  const lines = texts.join("\n").matchAll(/^([a-z_]+):([^\r\n]*)/gm);
  return new Map(Array.from(lines, ([, name, value]) => [name as string, value as string]));
}
