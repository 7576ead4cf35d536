import { type ClientSession, type Db, MongoClient, type MongoClientOptions } from "mongodb";
import { Failure } from "../../error/failure.ts";
import { StartError } from "../../error/start-error.ts";
import { isSocketError, StoreTimeoutError, storeError } from "./errors.ts";
import { notInitiated, openFailure, standalone } from "./open-failure.ts";
import { watchPrimary } from "./primary-watch.ts";

export interface MongoOptions {
  /** `mongodb://` or `mongodb+srv://`, with credentials and TLS. Pool and time-out options in the URI override those below. */
  readonly uri: string;
  /** Deadline of every operation, including retries and waiting for a connection. Default: 2000. */
  readonly timeoutMs?: number | undefined;
  /** Maximum connections to each server. Default: 32. */
  readonly maxPoolSize?: number | undefined;
  /** Used if the URI names no database. Default: "keywright". */
  readonly database?: string | undefined;
}

/**
 * Options of a write. The driver's types have no signal for writes, but its code respects one; a test with a stopped server checks this.
 */
export interface WriteOptions {
  readonly signal: AbortSignal;
  readonly session?: ClientSession;
}

export interface MongoDatabase {
  readonly client: MongoClient;
  readonly db: Db;
  /** True if the server is a mongos. Then one operation on many documents may depend on many servers. */
  readonly isSharded: boolean;
  /**
   * Runs an operation under the deadline. The operation must pass the signal to every call of the driver; it aborts at the deadline. Errors
   * are mapped by `storeError`. An operation that sends several large messages has the deadline as many times; each of them must still be
   * answered within one, because the time-outs of the client are as long.
   */
  run<T>(operation: (signal: AbortSignal) => Promise<T>, largeMessages?: number): Promise<T>;
  /** Waits for the operations in progress, then closes the client. Later operations reject with STORE_UNAVAILABLE. */
  close(): Promise<void>;
}

const defaultTimeoutMs = 2000;

/**
 * Connects to a replica set or a sharded cluster and prepares it. Rejects if that fails, or for a standalone mongod, with an Error that
 * names the hosts but never the credentials.
 *
 * Writes wait for the journals of a majority. Reads go to the primary with read concern "majority": they return every write that was
 * acknowledged before, and nothing that a failover could roll back. One gap remains. A primary that was cut off from its set and has not
 * noticed yet (up to `electionTimeoutMillis`, 10 s by default) returns data from before the partition. Linearizable reads would close the
 * gap, but each waits for a majority (a tenth of the throughput, measured). So only the cache generation is read that way. A process that
 * reaches only such a primary then finds that it has no store: it treats its cached keys as without a store and reads no others
 * (CacheTrust.confirm).
 *
 * The driver's own `timeoutMS` has no effect in this release (7.9), so there is a signal. Committing a transaction takes no signal; there
 * the time-outs of the socket and of server selection, which are as long, end the attempt.
 */
export async function openDatabase(options: MongoOptions, prepare: (db: Db) => Promise<void>): Promise<MongoDatabase> {
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  let client: MongoClient;
  try {
    client = new MongoClient(options.uri, clientOptions(options, timeoutMs));
  } catch (error) {
    // No cause: the driver may quote a URI that it cannot parse.
    throw new StartError(`the MongoDB URI cannot be used: ${withoutCredentials((error as Error).message, options.uri)}`);
  }
  const whyNoPrimary = watchPrimary(client);
  try {
    const db = client.db(databaseName(options.uri) ?? options.database ?? "keywright");
    const hello = await db.admin().command({ hello: 1 });
    const isSharded = hello.msg === "isdbgrid";
    if (!isSharded && hello.setName === undefined) throw new Error(hello.isreplicaset === true ? notInitiated : standalone);
    await prepare(db);
    return { client, db, isSharded, ...operations(client, timeoutMs, whyNoPrimary) };
  } catch (error) {
    await client.close();
    const hosts = client.options.srvHost ?? client.options.hosts.join(", ");
    const reason = withoutCredentials(openFailure(error as Error, client.options.replicaSet), options.uri);
    throw new StartError(`${hosts}: cannot be used as the key store: ${reason}`, { cause: error });
  }
}

function clientOptions({ uri, maxPoolSize = 32 }: MongoOptions, timeoutMs: number): MongoClientOptions {
  const named = new Set(Array.from(new URLSearchParams(uri.split("?", 2)[1] ?? "").keys(), (name) => name.toLowerCase()));
  const defaults: MongoClientOptions = {
    appName: "keywright",
    maxPoolSize,
    // Bounds how soon a server that went silent is noticed.
    heartbeatFrequencyMS: 1000,
    connectTimeoutMS: timeoutMs,
    serverSelectionTimeoutMS: timeoutMs,
    socketTimeoutMS: timeoutMs,
    waitQueueTimeoutMS: timeoutMs,
  };
  return {
    ...Object.fromEntries(Object.entries(defaults).filter(([name]) => !named.has(name.toLowerCase()))),
    // The store's guarantees depend on these, whatever the URI says.
    readPreference: "primary",
    readConcern: { level: "majority" },
    writeConcern: { w: "majority", journal: true },
    retryReads: true,
    retryWrites: true,
  };
}

/** Returns the part of a URI between its hosts and its options. */
function databaseName(uri: string): string | undefined {
  const name = /^[a-z+]+:\/\/[^/?]*\/([^?]+)/.exec(uri)?.[1];
  return name === undefined ? undefined : decodeURIComponent(name);
}

function withoutCredentials(text: string, uri: string): string {
  const userInfo = /^[a-z+]+:\/\/(.*)@/i.exec(uri)?.[1];
  if (userInfo === undefined) return text;
  const secrets = [userInfo, userInfo.slice(userInfo.indexOf(":") + 1)].flatMap((part) => [part, decoded(part)]);
  return secrets.filter((secret) => secret !== "").reduce((clean, secret) => clean.replaceAll(secret, "***"), text);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function operations(client: MongoClient, timeoutMs: number, whyNoPrimary: () => string): Pick<MongoDatabase, "run" | "close"> {
  const underWay = new Set<Promise<unknown>>();
  let closing: Promise<void> | undefined;

  async function underDeadline<T>(operation: (signal: AbortSignal) => Promise<T>, ownTimeoutMs: number): Promise<T> {
    const deadline = new AbortController();
    const expire = () => deadline.abort(new StoreTimeoutError(`MongoDB did not answer within ${ownTimeoutMs} ms${whyNoPrimary()}`));
    const timer = setTimeout(expire, ownTimeoutMs);
    try {
      return await tryTwice(operation, deadline.signal);
    } catch (error) {
      throw storeError(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Tries once more if the socket fails, as the driver does for its own errors. All operations may run twice: transactions handle lost
   * connections themselves, and the others only read, or write the same data again.
   */
  async function tryTwice<T>(operation: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await operation(signal);
    } catch (error) {
      if (!isSocketError(error) || signal.aborted) throw error;
      return operation(signal);
    }
  }

  return {
    async run(operation, largeMessages = 1) {
      if (closing !== undefined) throw new Failure("STORE_UNAVAILABLE");
      const running = underDeadline(operation, timeoutMs * largeMessages);
      underWay.add(running);
      try {
        return await running;
      } finally {
        underWay.delete(running);
      }
    },

    close() {
      closing ??= Promise.allSettled(underWay).then(() => client.close());
      return closing;
    },
  };
}
