import type { ClientHttp2Session } from "node:http2";
import { connect as connectHttp2 } from "node:http2";
import { expect, it } from "vitest";
import { failureStatus } from "../../src/call/error-details.ts";
import { createServerStreamLane } from "../../src/connect/server-stream-lane.ts";
import { createJsonReader } from "../../src/protojson/read.ts";
import { createHealthState, systemTimer, type Timer } from "../../src/server/health/health-state.ts";
import { createHealthWatches, defaultWatchLimits, type WatchLimits } from "../../src/server/health/health-watch.ts";
import { serve, type TestServer, until } from "./support.ts";

function reportError(error: unknown): void {
  throw error;
}

interface WatchServer extends TestServer {
  /** Makes the store answer or fail, and asks it. */
  setStoreUp(isUp: boolean): Promise<void>;
  /** Moves the clock and runs the timers that are due. */
  advance(ms: number): void;
  drain(): void;
}

async function serveWatches(limits: Partial<WatchLimits> = {}): Promise<WatchServer> {
  let isUp = true;
  let nowMs = 0;
  const planned = new Set<{ atMs: number; run: () => void }>();
  const timer: Timer = (delayMs, run) => {
    const entry = { atMs: nowMs + delayMs, run };
    planned.add(entry);
    return () => planned.delete(entry);
  };
  const ping = () => (isUp ? Promise.resolve() : Promise.reject(new Error("down")));
  const state = createHealthState({ ping, timer: systemTimer, intervalMs: 60_000, timeoutMs: 1_000 });
  await state.check();
  const watches = createHealthWatches({
    state,
    serviceNames: new Set([""]),
    limits: { ...defaultWatchLimits, ...limits },
    timer,
    monotonicMs: () => nowMs,
  });
  const lane = createServerStreamLane([watches], {
    json: createJsonReader({ unknownFields: "reject", presenceMasks: new Map() }),
    statusOf: failureStatus,
    reportError,
  });
  const server = await serve((_request, response) => void response.end("not the lane"), {}, lane);
  return {
    ...server,
    async setStoreUp(up) {
      isUp = up;
      await state.check();
    },
    advance(ms) {
      nowMs += ms;
      for (const entry of [...planned].filter(({ atMs }) => atMs <= nowMs)) {
        planned.delete(entry);
        entry.run();
      }
    },
    drain: () => state.drain(),
  };
}

interface Watch {
  /** Bytes of the messages, one status each. */
  readonly statuses: number[];
  grpcStatus: string | undefined;
  readonly reset: () => void;
}

function watch(session: ClientHttp2Session, body: Buffer = Buffer.alloc(5), headers: Record<string, string> = {}): Watch {
  const path = "/grpc.health.v1.Health/Watch";
  const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers", ...headers });
  const seen: Watch = { statuses: [], grpcStatus: undefined, reset: () => stream.close(8) };
  stream.on("response", (answer) => {
    seen.grpcStatus = answer["grpc-status"]?.toString();
  });
  stream.on("trailers", (trailers) => {
    seen.grpcStatus = trailers["grpc-status"]?.toString();
  });
  stream.on("data", (chunk: Buffer) => {
    for (let at = 0; at < chunk.length; at += 5 + chunk.readUInt32BE(at + 1)) seen.statuses.push(chunk[at + 6] as number);
  });
  stream.on("error", () => {});
  stream.end(body);
  return seen;
}

const serving = 1;
const notServing = 2;
const serviceUnknown = 3;
const messageOf = (service: string): Buffer =>
  Buffer.concat([Buffer.from([0, 0, 0, 0, 2 + service.length, 0x0a, service.length]), Buffer.from(service)]);

it("sends every change to all watches, and ends them on a drain", async () => {
  await using server = await serveWatches();
  const session = connectHttp2(`http://127.0.0.1:${server.port}`);
  const known = [watch(session), watch(session), watch(session, messageOf(""))];
  const unknown = watch(session, messageOf("other"));
  await until(() => [...known, unknown].every(({ statuses }) => statuses.length === 1));
  await server.setStoreUp(false);
  await server.setStoreUp(true);
  server.drain();
  await until(() => [...known, unknown].every(({ grpcStatus }) => grpcStatus === "0"));
  for (const { statuses } of known) expect(statuses).toEqual([serving, notServing, serving, notServing]);
  expect(unknown.statuses).toEqual([serviceUnknown]);
  session.close();
});

it("ends a watch at its maximum age with UNAVAILABLE, but not younger ones", async () => {
  await using server = await serveWatches({ maxAgeMs: 1_000 });
  const session = connectHttp2(`http://127.0.0.1:${server.port}`);
  const old = watch(session);
  await until(() => old.statuses.length === 1);
  server.advance(600);
  const young = watch(session);
  await until(() => young.statuses.length === 1);
  server.advance(600);
  await until(() => old.grpcStatus === "14");
  expect(young.grpcStatus).toBeUndefined();
  server.advance(600);
  await until(() => young.grpcStatus === "14");
  session.close();
});

it("limits the watches of a session and of the process, and releases places", async () => {
  await using server = await serveWatches({ maxWatches: 3, maxWatchesPerSession: 2 });
  const sessions = [0, 1].map(() => connectHttp2(`http://127.0.0.1:${server.port}`));
  const [one, other] = sessions as [ClientHttp2Session, ClientHttp2Session];
  const held = [watch(one), watch(one)] as const;
  await until(() => held.every(({ statuses }) => statuses.length === 1));
  const beyondSession = watch(one);
  await until(() => beyondSession.grpcStatus === "8");
  const third = watch(other);
  await until(() => third.statuses.length === 1);
  const beyondProcess = watch(other);
  await until(() => beyondProcess.grpcStatus === "8");
  held[0].reset();
  one.ping(() => {});
  let again = watch(other);
  while (again.statuses.length === 0) {
    await until(() => again.statuses.length === 1 || again.grpcStatus === "8");
    if (again.statuses.length === 0) again = watch(other);
  }
  for (const session of sessions) session.close();
});

it("answers invalid requests with their status", async () => {
  await using server = await serveWatches();
  const session = connectHttp2(`http://127.0.0.1:${server.port}`);
  const cases = [
    { seen: watch(session, Buffer.alloc(0)), status: "12" },
    { seen: watch(session, Buffer.alloc(10)), status: "12" },
    { seen: watch(session, Buffer.from([0, 0, 0, 0, 3, 0x0a])), status: "3" },
    { seen: watch(session, Buffer.from([0, 0, 0, 0, 1, 0xff])), status: "3" },
    // A compressed message without a named encoding: the specification of gRPC requires INTERNAL.
    { seen: watch(session, Buffer.from([1, 0, 0, 0, 0])), status: "13" },
    { seen: watch(session, Buffer.alloc(5_000)), status: "8" },
  ];
  await until(() => cases.every(({ seen, status }) => seen.grpcStatus === status));
  session.close();
});
