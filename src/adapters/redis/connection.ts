import { Redis } from "ioredis";
import { UnusableServerError } from "./failures.ts";
import { type ScriptedRedis, scripts } from "./scripts.ts";
import { withTimeout } from "./timeout.ts";
import type { RedisAddress, RedisLogin } from "./uri.ts";

export interface ConnectionOptions {
  readonly login: RedisLogin;
  readonly db: number;
  readonly tls: boolean;
  /** Certificates to trust in place of the system's, in PEM. */
  readonly tlsCa: string | Buffer | undefined;
  /** For opening a connection, from the first packet until the server has let us in. */
  readonly connectTimeoutMs: number;
}

/**
 * Opens one connection, which never becomes another: it does not reconnect, queues nothing while it is away and sends nothing twice, so that
 * whatever was found out about the server holds for every answer that comes by this client. Emits `close` when it is lost. Rejects if
 * the server cannot be reached or does not let us in.
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
    // RESP2 and no CLIENT SETINFO: what is not sent needs no permission.
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
 * What a master calls the data it holds: its run id, another one after every start of the process, and its replication id, which changes
 * whenever a server becomes the master, so also one that was it before. Rejects with UnusableServerError if the server is not a master with all its
 * data loaded.
 */
export async function readDataSet(client: Redis): Promise<string> {
  const sections = await Promise.all([client.info("server"), client.info("replication"), client.info("persistence")]);
  const facts = new Map([...sections.join("\n").matchAll(/^([a-z_]+):([^\r\n]*)/gm)].map(([, name, value]) => [name, value]));
  const runId = facts.get("run_id") ?? "";
  const replicationId = facts.get("master_replid") ?? "";
  if (runId === "" || replicationId === "") throw new UnusableServerError("the server does not say who it is");
  if (facts.get("role") !== "master") throw new UnusableServerError("the server is a replica");
  if (facts.get("loading") !== "0") throw new UnusableServerError("the server is loading its data");
  return `${runId} ${replicationId}`;
}
