import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Api, apiOf } from "../support/api.ts";
import { pageText } from "../support/docs.ts";
import { scrape } from "../support/metrics.ts";
import { type OtlpSink, type SunkSpan, startOtlpSink } from "../support/otlp-sink.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";

const rpc = "keywright.v2alpha1.ApiKeysService";
const traceId = "0af7651916cd43dd8448eb211c80319c";
const parentId = "b7ad6b7169203331";
const traceparent = (flags: string) => `00-${traceId}-${parentId}-${flags}`;
const settings = (sink: OtlpSink, more: Record<string, string> = {}) => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
  OTEL_BSP_SCHEDULE_DELAY: "50",
  ...more,
});
/** A separate process, because OpenTelemetry reads its settings from the environment. */
const startTraced = async (over: "grpc" | "json-http", env: Record<string, string>) => apiOf(await startServer({ env }), over);

describe("every call is traced", () => {
  let sink: OtlpSink;
  let apis: Readonly<Record<"grpc" | "json-http", Api<ServerProcess>>>;
  beforeAll(async () => {
    sink = await startOtlpSink();
    const server = await startServer({ env: settings(sink, { OTEL_SERVICE_NAME: "keys-test" }) });
    apis = { grpc: apiOf(server, "grpc"), "json-http": apiOf(server, "json-http") };
  });
  afterAll(async () => {
    await apis?.grpc[Symbol.asyncDispose]();
    await apis?.["json-http"][Symbol.asyncDispose]();
    await sink?.[Symbol.asyncDispose]();
  });

  test.each(["grpc", "json-http"] as const)(
    "a verify over %s is a span of its caller's trace and contains those of cache and store",
    async (over) => {
      const api = apis[over];
      const isVerify = ({ name, parentSpanId, attributes }: SunkSpan, parent: string) =>
        name === `${rpc}/AdminVerifyApiKey` && parentSpanId === parent && attributes["keywright.protocol"] === over;
      const { secret, keyId } = await api.issue({ name: "traced", actor_id: "actor-of-traces" });
      await api.verify({ credential: secret }, { headers: { traceparent: traceparent("01") } });
      await api.verify({ credential: secret });

      const first = await sink.until((span) => isVerify(span, parentId));
      expect(first).toMatchObject({
        traceId,
        kind: 2,
        isError: false,
        attributes: {
          "rpc.method": "AdminVerifyApiKey",
          "rpc.response.status_code": "OK",
          "keywright.protocol": over,
          "keywright.credential": "issued",
          "keywright.verification": "valid",
        },
      });
      const cache = await sink.until((span) => span.parentSpanId === first.spanId);
      expect(cache).toMatchObject({ name: "cache read", traceId, attributes: { "keywright.cache.outcome": "miss" } });
      const store = await sink.until((span) => span.parentSpanId === cache.spanId);
      expect(store).toMatchObject({ traceId, attributes: { "db.operation.name": "get" } });
      // The second one has no caller's trace, so it starts its own. It finds the key in the cache.
      const second = await sink.until((span) => isVerify(span, ""));
      expect(second.traceId).not.toBe(traceId);
      const hit = await sink.until((span) => span.parentSpanId === second.spanId);
      expect(hit.attributes).toEqual({ "keywright.cache.outcome": "hit" });

      expect(sink.resource).toMatchObject({ "service.name": "keys-test", "service.version": expect.any(String) });
      for (const unwanted of [secret, keyId, "actor-of-traces", api.server.adminToken]) expect(sink.text()).not.toContain(unwanted);
    },
  );

  test("docs/operations.md shows the real trace of one verify", async () => {
    const api = apis["json-http"];
    const { secret } = await api.issue();
    await api.verify({ credential: secret }, { headers: { traceparent: traceparent("01") } });
    const root = await sink.until((span) => span.parentSpanId === parentId && span.attributes["keywright.protocol"] === "json-http");
    expect(pageText("docs/operations.md")).toContain(`\`\`\`\n${treeOf(sink.spans, root).join("\n")}\n\`\`\`\n`);
  });

  test("refused calls are not errors, failed calls are", async () => {
    const api = apis["json-http"];
    const { secret } = await api.issue();
    await api.refused("AdminGetIssuedApiKey", { key_id: "01ARZ3NDEKTSV4RRFFQ69G5FAV" });
    await api.refused("AdminGetIssuedApiKey", { key_id: "x" }, { token: secret });
    const [notFound, stranger] = await Promise.all(
      ["KEY_NOT_FOUND", "UNAUTHENTICATED"].map((reason) => sink.until((span) => span.attributes["error.type"] === reason)),
    );
    expect(notFound).toMatchObject({ isError: false, attributes: { "rpc.response.status_code": "NOT_FOUND" } });
    expect(stranger).toMatchObject({ isError: false, attributes: { "rpc.response.status_code": "UNAUTHENTICATED" } });
    expect(sink.text()).not.toContain(secret);
  });
});

function treeOf(spans: readonly SunkSpan[], root: SunkSpan, indent = ""): string[] {
  const attributes = Object.entries(root.attributes).map(([name, value]) => `${name}=${value}`);
  const parts = spans.filter((span) => span.parentSpanId === root.spanId);
  return [`${indent}${root.name}: ${attributes.join(" ")}`, ...parts.flatMap((part) => treeOf(spans, part, `${indent}  `))];
}

test("sampling follows the caller, then the ratio", async () => {
  await using sink = await startOtlpSink();
  const sampling = { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" };
  await using api = await startTraced("grpc", settings(sink, sampling));
  const { secret } = await api.issue();
  const verify = (headers: Record<string, string>) => api.verify({ credential: secret }, { headers });
  await verify({});
  await verify({ traceparent: traceparent("00") });
  await verify({ traceparent: "not one" });
  await verify({ traceparent: traceparent("01") });
  await sink.until((span) => span.name === `${rpc}/AdminVerifyApiKey`);
  expect(new Set(sink.spans.map((span) => span.traceId))).toEqual(new Set([traceId]));
});

test("a ratio that ignores the caller traces that share of the calls", async () => {
  await using sink = await startOtlpSink();
  const sampling = { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.5" };
  await using api = await startTraced("grpc", settings(sink, sampling));
  const { secret } = await api.issue();
  for (let round = 0; round < 200; round += 1) await api.verify({ credential: secret });
  // The SDK decides by the trace id: the lower one is below the ratio.
  for (const [id, flags] of [
    [`${"0".repeat(24)}ffffffff`, "01"],
    [`${"0".repeat(31)}1`, "00"],
  ] as const) {
    await api.verify({ credential: secret }, { headers: { traceparent: `00-${id}-${parentId}-${flags}` } });
  }
  await api.server.stop();
  const calls = sink.spans.filter((span) => span.name === `${rpc}/AdminVerifyApiKey`);
  expect(calls.filter((span) => span.parentSpanId === parentId).map((span) => span.traceId)).toEqual([`${"0".repeat(31)}1`]);
  const own = calls.filter((span) => span.parentSpanId === "").length;
  expect(own).toBeGreaterThan(15);
  expect(own).toBeLessThan(185);
});

test("spans that were not sent yet are sent before the server exits", async () => {
  await using sink = await startOtlpSink();
  await using api = await startTraced("grpc", settings(sink, { OTEL_BSP_SCHEDULE_DELAY: "60000" }));
  await api.issue();
  expect(sink.spans).toEqual([]);
  expect(await api.server.stop()).toBe(0);
  expect(sink.spans.map(({ name }: SunkSpan) => name)).toContain(`${rpc}/AdminIssueApiKey`);
});

test.each(["refuse", "hang"] as const)("a collector with the behaviour `%s` costs only spans and one log line", async (mode) => {
  await using sink = await startOtlpSink();
  sink.set(mode);
  const env = settings(sink, { OTEL_EXPORTER_OTLP_TIMEOUT: "200", OTEL_BSP_MAX_QUEUE_SIZE: "16", OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "8" });
  await using api = await startTraced("grpc", { ...env, KEYWRIGHT_METRICS_PORT: "0" });
  const { secret } = await api.issue();
  for (let round = 0; round < 200; round += 1) expect((await api.verify({ credential: secret })).is_valid).toBe(true);
  const lost = async () => (await scrape(api.server)).value('keywright_trace_spans_total{outcome="lost"}') ?? 0;
  await expect.poll(lost, { timeout: 20_000 }).toBeGreaterThanOrEqual(16);
  const beganMs = Date.now();
  expect(await api.server.stop()).toBe(0);
  expect(Date.now() - beganMs).toBeLessThan(6000);
  expect(api.server.output().match(/trace collector does not accept spans/g)).toHaveLength(1);
});

test("unsupported settings of OpenTelemetry are reported and ignored, and without an endpoint nothing is loaded", async () => {
  await using sink = await startOtlpSink();
  const env = settings(sink, { OTEL_TRACES_SAMPLER: "jaeger_remote", OTEL_BSP_MAX_QUEUE_SIZE: "-1", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" });
  await using api = await startTraced("grpc", env);
  expect(api.server.output()).toContain("OTEL_TRACES_SAMPLER: must be");
  expect(api.server.output()).toContain("OTEL_BSP_MAX_QUEUE_SIZE: must be");
  expect(api.server.output()).toContain("OTEL_EXPORTER_OTLP_PROTOCOL: only http/protobuf is supported");
  await api.issue();
  await sink.until((span) => span.name === `${rpc}/AdminIssueApiKey`);
});
