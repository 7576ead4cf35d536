import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Document, MongoClient } from "mongodb";
import { serverBinary, urlSetting } from "../../scripts/test-servers.ts";
import { freePorts } from "./free-port.ts";
import { type ServerChild, startServerChild } from "./server-child.ts";

export interface MongoOptions {
  /** Members of a separate replica set. Without any option, any replica set is used, including one named by a setting. */
  readonly members?: 1 | 3;
  /** A single server without a replica set. */
  readonly standalone?: boolean;
  /** Memory for data, in GiB. Default: 0.25. */
  readonly cacheGb?: number;
  /** Allows `configureFailPoint`, with which a test makes the server answer commands with errors. */
  readonly failPoints?: boolean;
}

export interface MongoMember {
  readonly port: number;
  readonly pid: number;
  /** SIGSTOP, SIGCONT, or a signal that ends the process. Resolves when the process is stopped or gone. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again after a kill, on the same port and data. */
  restart(): Promise<void>;
}

export interface MongoServer {
  /** Without a database name. */
  readonly uri: string;
  /** Empty if the server is not our own. */
  readonly members: readonly MongoMember[];
  stop(): Promise<void>;
}

const electionTimeoutMs = 1000;
const electedWithinMs = 30_000;

/**
 * Starts a real mongod replica set with an elected primary, or returns why it cannot. One member takes about a second, three take three to
 * five. In CI, a missing server is an error.
 */
export async function startMongo(options: MongoOptions = {}): Promise<MongoServer | { unavailable: string }> {
  if (isAnyServerGood(options))
    return { uri: withoutDatabase(process.env[urlSetting("mongod")] as string), members: [], stop: async () => {} };
  const unavailable = await whyUnavailable(options);
  if (unavailable !== null) return { unavailable };
  const binary = await serverBinary("mongod");
  const folder = await mkdtemp(join(tmpdir(), "keywright-mongod-"));
  // Another process may take a free port before mongod does.
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startSet(binary, folder, options);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      if (attempt === 3) throw error;
    }
  }
}

/** Returns why `startMongo` cannot start a server, or null if it can. Starts nothing. */
export async function whyUnavailable(options: MongoOptions): Promise<string | null> {
  if (isAnyServerGood(options)) return null;
  try {
    await serverBinary("mongod");
    return null;
  } catch (error) {
    if (process.env.CI !== undefined) throw error;
    return (error as Error).message;
  }
}

function isAnyServerGood(options: MongoOptions): boolean {
  return process.env[urlSetting("mongod")] !== undefined && Object.keys(options).length === 0;
}

/** Each test file has its own database. */
function withoutDatabase(uri: string): string {
  return uri.replace(/^([a-z+]+:\/\/[^/?]*)(\/[^?]*)?/, "$1/");
}

async function startSet(binary: string, folder: string, options: MongoOptions): Promise<MongoServer> {
  const { members: count = 1, standalone = false, cacheGb = 0.25, failPoints = false } = options;
  const ports = await freePorts(standalone ? 1 : count);
  const args = ["--wiredTigerCacheSizeGB", String(cacheGb), ...(standalone ? [] : ["--replSet", "keywright", "--oplogSize", "64"])];
  if (failPoints) args.push("--setParameter", "enableTestCommands=1");
  const settled = await Promise.allSettled(ports.map((port) => startMember(binary, join(folder, String(port)), port, args)));
  const members = settled.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const stop = async () => {
    // Not SIGTERM: a primary would first look for a successor, and nobody needs the data any more.
    await Promise.all(members.map((member) => member.kill("SIGKILL")));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    for (const result of settled) if (result.status === "rejected") throw result.reason;
    if (!standalone) await formSet(ports);
  } catch (error) {
    await stop();
    throw error;
  }
  const hosts = ports.map((port) => `127.0.0.1:${port}`).join(",");
  return { uri: standalone ? `mongodb://${hosts}/` : `mongodb://${hosts}/?replicaSet=keywright`, members, stop };
}

async function startMember(binary: string, dbPath: string, port: number, moreArgs: readonly string[]): Promise<MongoMember> {
  await mkdir(dbPath, { recursive: true });
  const args = ["--port", String(port), "--dbpath", dbPath, "--bind_ip", "127.0.0.1", "--nounixsocket", "--quiet"];
  args.push("--setParameter", "diagnosticDataCollectionEnabled=false", "--setParameter", "transactionLifetimeLimitSeconds=5", ...moreArgs);
  let child: ServerChild = await startServerChild(binary, args, port);
  return {
    port,
    get pid() {
      return child.pid;
    },
    kill: (signal) => child.kill(signal),
    async restart() {
      child = await startServerChild(binary, args, port);
    },
  };
}

/** Joins the members into one set and waits until one of them is primary and the others can take over. */
async function formSet(ports: readonly number[]): Promise<void> {
  await using client = new MongoClient(`mongodb://127.0.0.1:${ports[0]}/?directConnection=true`, { serverSelectionTimeoutMS: 5000 });
  const admin = client.db("admin");
  const configuration: Document = {
    _id: "keywright",
    members: ports.map((port, index) => ({ _id: index, host: `127.0.0.1:${port}` })),
    settings: { electionTimeoutMillis: electionTimeoutMs, heartbeatIntervalMillis: 200 },
  };
  await admin.command({ replSetInitiate: configuration });
  const deadlineMs = Date.now() + electedWithinMs;
  for (;;) {
    const status = await admin.command({ replSetGetStatus: 1 });
    const states = status.members.map(({ stateStr }: Document) => stateStr).sort();
    if (states[0] === "PRIMARY" && states.slice(1).every((state: string) => state === "SECONDARY")) return;
    if (Date.now() > deadlineMs) throw new Error(`the replica set is not ready: ${states.join(", ")}`);
    await sleep(20);
  }
}
