import { randomBytes } from "node:crypto";
import { Agent, request } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { generateJwkSet } from "../../src/config/signing-key.ts";
import { grpcJs } from "../support/clients/grpc-js.ts";
import { succeed } from "../support/clients.ts";
import { describeOnMongo } from "../support/describe-on-mongo.ts";
import { scrape } from "../support/metrics.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";

const pollOptions = { timeout: 30_000 };

await describeOnMongo("two workers on one port", {}, (mongo) => {
  let server: ServerProcess;
  beforeAll(async () => {
    const database = `workers-${randomBytes(4).toString("hex")}`;
    server = await startServer({
      env: {
        KEYWRIGHT_WORKERS: "2",
        KEYWRIGHT_STORE: mongo().uri.replace("/?", `/${database}?`),
        KEYWRIGHT_SECRET: randomBytes(32).toString("hex"),
        KEYWRIGHT_ADMIN_TOKEN: randomBytes(32).toString("hex"),
        KEYWRIGHT_SIGNING_KEYS: `base64://${Buffer.from(await generateJwkSet()).toString("base64")}`,
        KEYWRIGHT_METRICS_PORT: "0",
        KEYWRIGHT_LOG_SAMPLING: "1",
      },
    });
  });
  afterAll(() => server.stop());

  const lines = () => server.output().trimEnd().split("\n").map(parseLine);
  const countOf = (text: string) => lines().filter(({ message }) => message === text).length;
  const servingPids = () => lines().flatMap(({ message, pid }) => (message === "worker serves" && typeof pid === "number" ? [pid] : []));

  test("both serve calls, and the metrics combine both", async () => {
    await expect.poll(() => servingPids().length, pollOptions).toBe(2);
    const before = (await verifications(server)) ?? 0;
    for (let call = 0; call < 20; call += 1) expect(await verifyAnew(server)).toBe(200);
    // A worker counts a call after it has responded.
    await expect.poll(() => verifications(server), pollOptions).toBe(before + 20);
    const answering = () => new Set(lines().flatMap(({ message, worker }) => (message === "call" ? [worker] : [])));
    await expect.poll(() => answering().size, pollOptions).toBe(2);
    const metrics = await scrape(server);
    expect(metrics.value("keywright_workers")).toBe(2);
    expect(metrics.value('keywright_cache_trust{mode="leased"}')).toBe(2);
  });

  test("a worker that is killed is replaced, and the port keeps responding", async () => {
    const [killed] = servingPids() as [number];
    process.kill(killed, "SIGKILL");
    await expect.poll(() => lines().some(({ message, pid }) => message === "a worker ended unexpectedly" && pid === killed)).toBe(true);
    expect(await verifyAnew(server)).toBe(200);
    await expect.poll(() => servingPids().length, pollOptions).toBe(3);
    expect((await scrape(server)).value("keywright_workers_replaced_total")).toBe(1);
  });

  test("SIGUSR2 replaces every worker and loses no call, and no count", async () => {
    const before = (await verifications(server)) ?? 0;
    const load = createLoad(server);
    process.kill(server.pid, "SIGUSR2");
    await expect.poll(() => lines().some(({ message }) => message === "workers replaced"), pollOptions).toBe(true);
    const { failures, verified } = await load.stop();
    expect(failures).toEqual([]);
    expect(servingPids()).toHaveLength(5);
    for (const old of servingPids().slice(0, 3)) expect(isRunning(old)).toBe(false);
    await expect.poll(() => verifications(server), pollOptions).toBe(before + verified);
  });

  test("a worker that is killed while the workers are replaced is replaced too", async () => {
    const [replacedCount, known] = [countOf("workers replaced"), servingPids()];
    process.kill(server.pid, "SIGUSR2");
    await expect.poll(() => countOf("replacing the workers")).toBe(replacedCount + 1);
    process.kill(known.at(-1) as number, "SIGKILL");
    await expect.poll(() => countOf("workers replaced"), pollOptions).toBe(replacedCount + 1);
    await expect.poll(async () => (await scrape(server)).value("keywright_workers"), pollOptions).toBe(2);
    expect(servingPids().filter(isRunning)).toHaveLength(2);
  });

  test("SIGTERM drains all workers, and the log has complete lines that name their worker", async () => {
    // A successor that starts now must not outlive the rest.
    process.kill(server.pid, "SIGUSR2");
    await expect.poll(() => countOf("replacing the workers")).toBe(countOf("workers replaced") + 1);
    const serving = lines().flatMap(({ message, pid, worker }) =>
      message === "worker serves" && isRunning(pid as number) ? [worker] : [],
    );
    expect(serving).toHaveLength(2);
    expect(await server.stop()).toBe(0);
    expect(servingPids().filter(isRunning)).toEqual([]);
    const closed = lines().filter(({ message }) => message === "closed");
    expect(closed.map(({ worker }) => worker)).toEqual(expect.arrayContaining(serving));
    expect(new Set(closed.map(({ worker }) => worker)).size).toBe(closed.length);
    expect(closed.at(-1)?.worker).toBeUndefined();
  });
});

function parseLine(line: string): Readonly<Record<string, unknown>> {
  return JSON.parse(line) as Record<string, unknown>;
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Returns the number of counted verifications of credentials that are not keys. */
async function verifications(server: ServerProcess): Promise<number | undefined> {
  return (await scrape(server)).value('keywright_verifications_total{credential="imported",outcome="not_found"}');
}

/** Verifies over a new connection, so that the workers take turns. Returns the status. */
function verifyAnew({ port, adminToken }: ServerProcess): Promise<number> {
  const agent = new Agent({ keepAlive: false });
  const headers = { authorization: `Bearer ${adminToken}`, "content-type": "application/json" };
  return new Promise((resolve, reject) => {
    const options = { port, host: "127.0.0.1", path: "/v2alpha1/admin/apiKeys:verify", method: "POST", agent, headers };
    const outgoing = request(options, (response) => {
      response.resume().once("end", () => resolve(response.statusCode ?? 0));
    });
    outgoing.once("error", reject);
    outgoing.end(JSON.stringify({ credential: "unknown" }));
  });
}

/** Verifies over new HTTP/1.1 connections and over gRPC, until it is stopped. */
function createLoad(server: ServerProcess) {
  const failures: string[] = [];
  let verified = 0;
  let isOver = false;
  const repeat = async (verify: () => Promise<unknown>) => {
    while (!isOver) {
      await verify().then(
        () => {
          verified += 1;
        },
        (error: unknown) => failures.push(String(error)),
      );
    }
  };
  // This client repeats a call whose stream was refused because of a GOAWAY, as gRPC clients do.
  const grpc = grpcJs.open(server.url, server.adminToken);
  const over = [
    repeat(() => verifyAnew(server)),
    repeat(() => verifyAnew(server)),
    repeat(() => succeed(grpc, "AdminVerifyApiKey", { credential: "unknown" })),
  ];
  return {
    async stop() {
      isOver = true;
      await Promise.all(over);
      await grpc[Symbol.asyncDispose]();
      return { failures, verified };
    },
  };
}
