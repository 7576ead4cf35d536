import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { type DescMessage, fromBinary, type JsonObject, toJson } from "@bufbuild/protobuf";
import { compileProto } from "../protojson/compile-proto.ts";

export interface SunkSpan {
  readonly name: string;
  /** In hex; `parentSpanId` is empty for a root span. */
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly kind: number;
  readonly isError: boolean;
  readonly attributes: Readonly<Record<string, string>>;
}

/** A trace collector: accepts OTLP over HTTP as protobuf and keeps what it receives. */
export interface OtlpSink extends AsyncDisposable {
  /** Value for OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string;
  readonly spans: readonly SunkSpan[];
  /** Attributes of the resource that sent last. */
  readonly resource: Readonly<Record<string, string>>;
  /** Everything it received, as JSON. */
  text(): string;
  /** Sets its behaviour: `take` returns 200, `refuse` returns 503, `hang` does not answer. */
  set(mode: "take" | "refuse" | "hang"): void;
  readonly requestCount: number;
  /** Waits until a matching span has arrived. */
  until(isWanted: (span: SunkSpan) => boolean): Promise<SunkSpan>;
}

const exportRequest = compileProto(join(import.meta.dirname, "otlp-trace.proto")).getMessage(
  "keywright.test.otlp.ExportTraceServiceRequest",
) as DescMessage;

export async function startOtlpSink(): Promise<OtlpSink> {
  const spans: SunkSpan[] = [];
  const texts: string[] = [];
  let resource: Record<string, string> = {};
  let mode: "take" | "refuse" | "hang" = "take";
  let requestCount = 0;

  const server = createServer(async (request, response) => {
    const chunks = await request.toArray();
    requestCount += 1;
    if (mode === "hang") return;
    if (mode === "refuse") {
      response.writeHead(503).end();
      return;
    }
    const body = Buffer.concat(chunks);
    const bytes = request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
    if (request.url !== "/v1/traces" || request.headers["content-type"] !== "application/x-protobuf") {
      response.writeHead(400).end();
      return;
    }
    const message = toJson(exportRequest, fromBinary(exportRequest, bytes)) as JsonObject;
    texts.push(JSON.stringify(message), bytes.toString("latin1"));
    for (const ofResource of list(message.resourceSpans)) {
      resource = attributesOf(ofResource.resource as JsonObject);
      for (const ofScope of list(ofResource.scopeSpans)) spans.push(...list(ofScope.spans).map(toSpan));
    }
    response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    get resource() {
      return resource;
    },
    text: () => texts.join("\n"),
    set(to) {
      mode = to;
    },
    get requestCount() {
      return requestCount;
    },
    async until(isWanted) {
      const deadlineMs = Date.now() + 15_000;
      for (;;) {
        const found = spans.find(isWanted);
        if (found !== undefined) return found;
        if (Date.now() > deadlineMs) throw new Error(`no such span among ${JSON.stringify(spans)}`);
        await new Promise((wake) => setTimeout(wake, 20));
      }
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

function toSpan(span: JsonObject): SunkSpan {
  const hex = (name: string) => Buffer.from(String(span[name] ?? ""), "base64").toString("hex");
  return {
    name: String(span.name),
    traceId: hex("traceId"),
    spanId: hex("spanId"),
    parentSpanId: hex("parentSpanId"),
    kind: Number(span.kind),
    isError: (span.status as JsonObject | undefined)?.code === 2,
    attributes: attributesOf(span),
  };
}

function attributesOf(holder: JsonObject): Record<string, string> {
  return Object.fromEntries(list(holder.attributes).map(({ key, value }) => [String(key), String(Object.values(value as JsonObject)[0])]));
}

function list(value: unknown): JsonObject[] {
  return (value ?? []) as JsonObject[];
}
