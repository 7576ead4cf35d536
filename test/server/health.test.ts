import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Client, Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { credentials, type MethodDefinition, makeGenericClientConstructor, type ServiceError } from "@grpc/grpc-js";
import { expect, it } from "vitest";
import {
  Health,
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as Status,
} from "../../gen/grpc/health/v1/health_pb.ts";
import { failureStatus } from "../../src/call/error-details.ts";
import { createMethodTable } from "../../src/call/methods.ts";
import { createRpcHandler } from "../../src/connect/rpc.ts";
import { createBodyBudget } from "../../src/http/body-budget.ts";
import { createJsonReader } from "../../src/protojson/read.ts";
import { createDispatcher } from "../../src/server/dispatch.ts";
import { createHealthService } from "../../src/server/health/health.ts";
import { createHealthHttp } from "../../src/server/health/health-http.ts";
import { createHealthState, type HealthState, systemTimer, type Timer } from "../../src/server/health/health-state.ts";
import { defaultWatchLimits } from "../../src/server/health/health-watch.ts";
import { askHttp1, askHttp2, serve, type TestServer, until } from "./support.ts";

const keys = "keywright.v2alpha1.ApiKeysService";

/** A store whose answer can be chosen; "hang" never answers. */
function switchableStore() {
  const store = { answer: "up" as "up" | "down" | "hang", pings: 0 };
  const ping = (): Promise<void> => {
    store.pings += 1;
    if (store.answer === "hang") return new Promise(() => {});
    return store.answer === "up" ? Promise.resolve() : Promise.reject(new Error("down"));
  };
  return { store, ping };
}

async function serveHealth(state: HealthState): Promise<TestServer> {
  const service = createHealthService({ state, serviceNames: new Set(["", keys]), limits: defaultWatchLimits, timer: systemTimer });
  const rpc = createRpcHandler({
    methods: new Map(),
    admit: () => {},
    openMethods: createMethodTable(Health, service.methods, []),
    streams: [service.watch],
    json: createJsonReader({ unknownFields: "reject", presenceMasks: new Map() }),
    bodies: createBodyBudget({ maxBytes: 2 ** 20, maxAnonymousBytes: 2 ** 20, maxInflations: 1 }),
    trustedProxies: [],
    maxBytes: () => 1024,
    maxStreamMessageBytes: 1024,
    shutdownSignal: new AbortController().signal,
    statusOf: failureStatus,
    reportError: (error) => {
      throw error;
    },
  });
  const server = await serve(
    createDispatcher({
      rpc: rpc.handler,
      isRpc: rpc.isRpc,
      health: createHealthHttp(state),
      transcoder: (_request, response) => void response.end(),
    }),
    {},
    rpc.streamHandler,
  );
  server.listener.draining.addEventListener("abort", () => state.drain());
  return server;
}

const grpcClient = (port: number): Client<typeof Health> =>
  createClient(Health, createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}` }));

it("asks the store for readiness, with a short time-out and one ping for many probes", async () => {
  const { store, ping } = switchableStore();
  const state = createHealthState({ ping, timer: systemTimer, intervalMs: 60_000, timeoutMs: 100 });
  await using server = await serveHealth(state);
  const noStore = { "cache-control": "no-store", "content-type": "application/json" };
  expect(await askHttp1(server.port, "/health/alive")).toMatchObject({ status: 200, body: '{"status":"ok"}', headers: noStore });
  expect(await askHttp1(server.port, "/health/ready")).toMatchObject({ status: 200, body: '{"status":"ok"}', headers: noStore });
  store.answer = "down";
  expect(await askHttp1(server.port, "/health/ready")).toMatchObject({ status: 503, body: '{"status":"unavailable"}', headers: noStore });
  expect((await askHttp2(server.port, "/health/alive")).status).toBe(200);
  store.answer = "hang";
  const before = store.pings;
  const answers = await Promise.all(Array.from({ length: 20 }, () => askHttp1(server.port, "/health/ready")));
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 503));
  expect(store.pings - before).toBe(1);
});

it("answers HEAD without a body, and returns 405 for other methods", async () => {
  const state = createHealthState({ ping: switchableStore().ping, timer: systemTimer, intervalMs: 60_000, timeoutMs: 100 });
  await using server = await serveHealth(state);
  for (const path of ["/health/alive", "/health/ready"]) {
    expect(await askHttp1(server.port, path, "HEAD")).toMatchObject({ status: 200, body: "", headers: { "content-length": "15" } });
    const refused = await askHttp1(server.port, path, "POST");
    expect(refused).toMatchObject({ status: 405, headers: { allow: "GET, HEAD" } });
    expect(JSON.parse(refused.body)).toMatchObject({ code: 12, details: [], error: { code: 405, status: "UNIMPLEMENTED", details: [] } });
  }
});

it("is not ready from the beginning of a drain", async () => {
  const state = createHealthState({ ping: switchableStore().ping, timer: systemTimer, intervalMs: 60_000, timeoutMs: 100 });
  await using server = await serveHealth(state);
  state.drain();
  expect((await askHttp1(server.port, "/health/ready")).status).toBe(503);
  expect((await askHttp1(server.port, "/health/alive")).status).toBe(200);
});

it("follows the store at an interval, from start to stop", async () => {
  const { store, ping } = switchableStore();
  const planned: { delayMs: number; run: () => void }[] = [];
  const timer: Timer = (delayMs, run) => {
    const entry = {
      delayMs,
      run: () => {
        remove();
        run();
      },
    };
    const remove = (): void => void planned.splice(planned.indexOf(entry), planned.includes(entry) ? 1 : 0);
    planned.push(entry);
    return remove;
  };
  const state = createHealthState({ ping, timer, intervalMs: 2_000, timeoutMs: 500 });
  let changes = 0;
  state.onChange(() => {
    changes += 1;
  });
  expect(state.serving).toBe(false);
  state.start();
  state.start();
  await until(() => state.serving && planned[0]?.delayMs === 2_000);
  expect({ serving: state.serving, changes, planned: planned.map(({ delayMs }) => delayMs) }).toEqual({
    serving: true,
    changes: 1,
    planned: [2_000],
  });

  store.answer = "hang";
  planned[0]?.run();
  expect(planned.map(({ delayMs }) => delayMs)).toEqual([500]);
  planned[0]?.run();
  await until(() => !state.serving && planned[0]?.delayMs === 2_000);
  expect({ serving: state.serving, changes, planned: planned.map(({ delayMs }) => delayMs) }).toEqual({
    serving: false,
    changes: 2,
    planned: [2_000],
  });
  state.stop();
  expect(planned).toEqual([]);
});

it("checks and lists over gRPC", async () => {
  const { store, ping } = switchableStore();
  const state = createHealthState({ ping, timer: systemTimer, intervalMs: 60_000, timeoutMs: 100 });
  await using server = await serveHealth(state);
  const client = grpcClient(server.port);
  expect((await client.check({ service: "" })).status).toBe(Status.NOT_SERVING);
  await state.check();
  expect((await client.check({ service: "" })).status).toBe(Status.SERVING);
  expect((await client.check({ service: keys })).status).toBe(Status.SERVING);
  await expect(client.check({ service: "other" })).rejects.toMatchObject({ code: Code.NotFound });
  store.answer = "down";
  await state.check();
  const { statuses } = await client.list({});
  expect(Object.entries(statuses).map(([name, { status }]) => [name, status])).toEqual([
    ["", Status.NOT_SERVING],
    [keys, Status.NOT_SERVING],
  ]);
});

it("streams every change to a watch, and ends it on a drain after NOT_SERVING", async () => {
  const { store, ping } = switchableStore();
  const state = createHealthState({ ping, timer: systemTimer, intervalMs: 60_000, timeoutMs: 100 });
  await state.check();
  await using server = await serveHealth(state);
  const client = grpcClient(server.port);
  const seen: Status[] = [];
  const ended = (async () => {
    for await (const { status } of client.watch({ service: keys })) seen.push(status);
  })();
  const unknownSeen: Status[] = [];
  const unknownEnded = (async () => {
    for await (const { status } of client.watch({ service: "other" })) unknownSeen.push(status);
  })();
  await until(() => seen.length === 1 && unknownSeen.length === 1);
  store.answer = "down";
  await state.check();
  await until(() => seen.length === 2);
  store.answer = "up";
  await state.check();
  await until(() => seen.length === 3);
  const startMs = Date.now();
  await server.listener.drain(10_000);
  expect(Date.now() - startMs).toBeLessThan(5_000);
  await Promise.all([ended, unknownEnded]);
  expect(seen).toEqual([Status.SERVING, Status.NOT_SERVING, Status.SERVING, Status.NOT_SERVING]);
  expect(unknownSeen).toEqual([Status.SERVICE_UNKNOWN]);
});

it("forgets a watch whose client disconnected", async () => {
  let subscribed = 0;
  const plain = createHealthState({ ping: switchableStore().ping, timer: systemTimer, intervalMs: 60_000, timeoutMs: 100 });
  const counted: HealthState = Object.create(plain, {
    onChange: {
      value: (listener: () => void) => {
        subscribed += 1;
        const unsubscribe = plain.onChange(listener);
        return () => {
          subscribed -= 1;
          unsubscribe();
        };
      },
    },
  });
  await using server = await serveHealth(counted);
  const abort = new AbortController();
  const watch = (async () => {
    for await (const _ of grpcClient(server.port).watch({ service: "" }, { signal: abort.signal }));
  })();
  await until(() => subscribed === 1);
  abort.abort();
  await expect(watch).rejects.toMatchObject({ code: Code.Canceled });
  await until(() => subscribed === 0);
});

it("answers the client of @grpc/grpc-js", async () => {
  const state = createHealthState({ ping: switchableStore().ping, timer: systemTimer, intervalMs: 60_000, timeoutMs: 100 });
  await state.check();
  await using server = await serveHealth(state);
  const define = (name: string, responseStream: boolean): MethodDefinition<string, Status> => ({
    path: `/${Health.typeName}/${name}`,
    requestStream: false,
    responseStream,
    requestSerialize: (service) =>
      Buffer.from(toBinary(HealthCheckRequestSchema, { $typeName: "grpc.health.v1.HealthCheckRequest", service })),
    requestDeserialize: (bytes) => fromBinary(HealthCheckRequestSchema, bytes).service,
    responseSerialize: () => Buffer.alloc(0),
    responseDeserialize: (bytes) => fromBinary(HealthCheckResponseSchema, bytes).status,
  });
  const methods = { Check: define("Check", false), Watch: define("Watch", true) };
  const client = new (makeGenericClientConstructor(methods, Health.typeName))(`127.0.0.1:${server.port}`, credentials.createInsecure());
  const check = (service: string): Promise<Status> =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        methods.Check.path,
        methods.Check.requestSerialize,
        methods.Check.responseDeserialize,
        service,
        (error, status) => (error === null ? resolve(status as Status) : reject(error)),
      );
    });
  expect(await check("")).toBe(Status.SERVING);
  await expect(check("other")).rejects.toMatchObject({ code: 5 } satisfies Partial<ServiceError>);

  const seen: Status[] = [];
  const call = client.makeServerStreamRequest(methods.Watch.path, methods.Watch.requestSerialize, methods.Watch.responseDeserialize, keys);
  const ended = new Promise<number>((resolve, reject) => {
    call
      .on("data", (status: Status) => seen.push(status))
      .on("status", ({ code }: { code: number }) => resolve(code))
      .on("error", reject);
  });
  await until(() => seen.length === 1);
  await server.listener.drain(10_000);
  expect(await ended).toBe(0);
  expect(seen).toEqual([Status.SERVING, Status.NOT_SERVING]);
  client.close();
});

it("reports an unknown service as a ConnectError, not as a bug", async () => {
  const state = createHealthState({ ping: switchableStore().ping, timer: systemTimer, intervalMs: 60_000, timeoutMs: 100 });
  await using server = await serveHealth(state);
  await expect(grpcClient(server.port).check({ service: "x" })).rejects.toMatchObject({ code: Code.NotFound });
});
