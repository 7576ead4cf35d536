import { createServer, request as httpRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http";
import { connect, createServer as createHttp2Server } from "node:http2";
import type { AddressInfo, Server } from "node:net";
import { join } from "node:path";
import type { DescField, DescMethodUnary, DescService, Message } from "@bufbuild/protobuf";
import type { Call, Handler } from "../../src/call/call.ts";
import { isUnary } from "../../src/call/methods.ts";
import { Failure } from "../../src/error/failure.ts";
import type { Reason } from "../../src/error/table.ts";
import { createBodyBudget } from "../../src/http/body-budget.ts";
import type { HttpHandler } from "../../src/http/message.ts";
import { createJsonReader } from "../../src/protojson/read.ts";
import type { Success } from "../../src/transcode/route.ts";
import { createTranscoder } from "../../src/transcode/transcoder.ts";
import { compileProto } from "../protojson/compile-proto.ts";
import { namesBeside } from "../protojson/sample.ts";

const registry = compileProto(
  join(import.meta.dirname, "library.proto"),
  join(import.meta.dirname, "broken.proto"),
  join(import.meta.dirname, "../protojson/sample.proto"),
);

export function serviceNamed(name: string): DescService {
  const service = registry.getService(name);
  if (service === undefined) throw new Error(`no service ${name}`);
  return service;
}

const library = serviceNamed("library.v1.Library");
export const maxBytes = 100_000;

/**
 * Returns the request. The text or name `fail:REASON` fails with that reason, `crash` throws an error that is not a Failure, and `header`
 * sets a Cache-Control.
 */
async function echo(request: Message, call: Call): Promise<Message> {
  const { text, displayName } = request as unknown as { text?: string; displayName?: string };
  const wish = text ?? displayName ?? "";
  if (wish.startsWith("fail:")) throw new Failure(wish.slice(5) as Reason);
  if (wish === "crash") throw new Error("a secret of ours");
  if (wish === "late") await new Promise((resolve) => setTimeout(resolve, 50));
  if (wish === "header") call.setResponseHeader("cache-control", "max-age=60");
  return request;
}

export function tableOf(service: DescService, handler: Handler = echo): ReadonlyMap<DescMethodUnary, Handler> {
  return new Map(service.methods.filter(isUnary).map((method) => [method, handler]));
}

const rest = new Map<DescMethodUnary, Success>([
  [
    library.method.create as DescMethodUnary,
    { status: 201, location: (m) => `/v1/things/${(m as unknown as { displayName: string }).displayName}` },
  ],
  [library.method.remove as DescMethodUnary, { status: 204 }],
]);

export const testBodies = createBodyBudget({ maxBytes: 2 ** 27, maxAnonymousBytes: 2 ** 27, maxInflations: 2 });

/** Errors that transcoders reported, from all tests of a file. */
export const reported: unknown[] = [];

export function libraryTranscoder(unknownFields: "reject" | "ignore" = "reject"): HttpHandler {
  const masked = (library.method.rotate as DescMethodUnary).input;
  const field = masked.field.overrideMask as DescField;
  const presenceMasks = new Map([[masked, { field, names: namesBeside(field) }]]);
  const json = createJsonReader({ unknownFields, presenceMasks });
  return createTranscoder({
    methods: tableOf(library),
    admit: () => {},
    json,
    bodies: testBodies,
    rest,
    trustedProxies: [],
    maxBytes: () => maxBytes,
    reportError: (error) => reported.push(error),
  });
}

export interface TestServer {
  readonly port: number;
  /** Numbers of requests that began, and of those whose response was sent or cut off. */
  readonly requests: { readonly begun: number; readonly ended: number };
  close(): Promise<void>;
}

export async function listen(handler: HttpHandler, version: 1 | 2 = 1): Promise<TestServer> {
  const requests = { begun: 0, ended: 0 };
  const counted: HttpHandler = (request, response) => {
    requests.begun += 1;
    response.once("close", () => {
      requests.ended += 1;
    });
    return handler(request, response);
  };
  const server: Server = version === 1 ? createServer(counted) : createHttp2Server(counted);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    close: () => new Promise((resolve, reject) => server.close((error) => (error ? reject(error) : resolve()))),
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Undefined for an empty body. Without empty lists and maps, of which the sample message has many. */
  // biome-ignore lint/suspicious/noExplicitAny: tests read any member
  readonly json: any;
}

/** Sends one request with the path unchanged. A `body` that is neither a string nor bytes is sent as JSON. */
export function send(port: number, method: string, path: string, body?: unknown, headers: OutgoingHttpHeaders = {}): Promise<Answer> {
  const payload = body === undefined || typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    // Node sends the body of a GET or DELETE without framing unless its length is given.
    const framing = payload === undefined || "transfer-encoding" in headers ? {} : { "content-length": Buffer.byteLength(payload) };
    const defaults = payload === undefined ? {} : { "content-type": "application/json" };
    const outgoing = httpRequest({ port, method, path, headers: { ...defaults, ...framing, ...headers } });
    outgoing.on("error", reject);
    outgoing.on("response", (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("error", reject);
      incoming.on("end", () => resolve(answer(incoming.statusCode ?? 0, incoming.headers, chunks)));
    });
    outgoing.end(payload);
  });
}

/** The same over HTTP/2 without TLS. */
export function send2(port: number, method: string, path: string, body?: unknown, headers: OutgoingHttpHeaders = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://127.0.0.1:${port}`);
    session.on("error", reject);
    const stream = session.request({ ":method": method, ":path": path, ...headers }, { endStream: body === undefined });
    const chunks: Buffer[] = [];
    let received: IncomingHttpHeaders & { ":status"?: number } = {};
    stream.on("response", (head) => {
      received = head;
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("end", () => {
      session.close();
      resolve(answer(received[":status"] ?? 0, received, chunks));
    });
    if (body !== undefined) stream.end(typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body));
  });
}

function answer(status: number, headers: IncomingHttpHeaders, chunks: Buffer[]): Answer {
  const body = Buffer.concat(chunks).toString("utf8");
  return { status, headers, body, json: body === "" ? undefined : JSON.parse(body, withoutEmpty) };
}

const maps = new Set(["counts", "by_number", "by_flag", "named_pauses"]);

function withoutEmpty(name: string, value: unknown): unknown {
  if (name === "") return value;
  if (Array.isArray(value)) return value.length === 0 ? undefined : value;
  return maps.has(name) && Object.keys(value as object).length === 0 ? undefined : value;
}
