import type { DescMethod } from "@bufbuild/protobuf";
import { type ConnectRouter, createConnectRouter } from "@connectrpc/connect";
import type { Compression, UniversalHandler } from "@connectrpc/connect/protocol";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import type { Handler } from "../call/call.ts";
import { isUnary } from "../call/methods.ts";
import type { BodyBudget } from "../http/body-budget.ts";
import { type HttpHandler, headerOf } from "../http/message.ts";
import { type AdapterCallOptions, type AdapterRequest, serveByConnect } from "./adapter-call.ts";
import { codecOf } from "./codec.ts";
import { type Encoding, inflate } from "./compression.ts";
import { answerCalls, exchangeKey, refuseFailed } from "./exchange.ts";
import { codecOfQuery } from "./get-request.ts";
import { giveUp } from "./give-up.ts";
import { refuseContentType, refuseHttp1, refuseMethod } from "./refusal.ts";
import { createUnknownMethods } from "./unknown-methods.ts";

export interface ConnectAdapterOptions extends AdapterCallOptions {
  /** Services written against Connect's router (health, reflection). They pass it no options: those would replace ours. */
  readonly services: readonly ((router: ConnectRouter) => void)[];
  /** Ends streams with SHUTTING_DOWN. Unary calls run to their end; the listener waits for them. */
  readonly shutdownSignal: AbortSignal;
}

export interface ConnectAdapter {
  readonly handler: HttpHandler;
  /** Whether the path (or request target) is one of an RPC, known or not, of a service that is served here. */
  isRpcPath(path: string): boolean;
}

/** Bound of a message of a stream, as of all messages of those who need no token. Only health and reflection have streams. */
const maxStreamMessageBytes = 16 * 1024;

/**
 * Connect, gRPC and gRPC-Web by Connect's own handlers. They write the answers; what callers may get wrong (compression, time-outs,
 * framing, messages) is read and judged here, by the code that the fast lanes use, so that both refuse the same in the same words.
 */
export function createConnectAdapter(options: ConnectAdapterOptions): ConnectAdapter {
  const { methods, services, bodies, shutdownSignal, reportError } = options;
  const router = createConnectRouter({
    acceptCompression: [
      { ...compressionGzip, decompress: inflateBy("gzip", bodies) },
      { ...compressionBrotli, decompress: inflateBy("br", bodies) },
    ],
    binaryOptions: { readUnknownFields: false },
    interceptors: [answerCalls(reportError, shutdownSignal)],
    requestGate: refuseFailed,
    readMaxBytes: maxStreamMessageBytes,
    shutdownSignal,
  });
  for (const [method, handler] of methods) registerMethod(router, method, handler);
  for (const register of services) register(router);
  const routes = new Map(router.handlers.map((route) => [route.requestPath, route]));
  const serviceNames = new Set(router.handlers.map((route) => route.service.typeName));
  const unknownMethods = createUnknownMethods(methods);

  const handler: HttpHandler = (request, response) => {
    const [path, query] = splitTarget(request.url ?? "");
    const route = routes.get(path);
    const allowed = route === undefined ? ["GET", "POST"] : allowedMethods(route);
    if (!allowed.includes(request.method ?? "")) return refuseMethod(request, response, allowed.join(", "));
    const parameters = request.method === "GET" ? new URLSearchParams(query) : undefined;
    const codec = parameters === undefined ? codecOf(headerOf(request, "content-type")) : codecOfQuery(parameters);
    if (codec === undefined) return refuseContentType(request, response);
    const target = route ?? unknownMethods(codec);
    if (codec.protocol === "connect" && codec.enveloped === isUnary(target.method)) return refuseContentType(request, response);
    if (target.method.methodKind === "bidi_streaming" && request.httpVersionMajor === 1) return refuseHttp1(request, response);
    const adapterRequest: AdapterRequest = { path: target.requestPath, isKnown: route !== undefined, codec, parameters, request, response };
    serveByConnect(target, adapterRequest, options).catch((error) => giveUp(response, error, reportError));
  };
  return { handler, isRpcPath: (path) => isPathOf(serviceNames, path) };
}

function registerMethod(router: ConnectRouter, method: DescMethod, handler: Handler): void {
  if (!isUnary(method)) return;
  router.rpc(method, (message, context) => {
    const call = context.values.get(exchangeKey)?.unary?.call;
    if (call === undefined) throw new Error("a unary call without its exchange");
    return handler(message, call);
  });
}

/** Inflates the messages of streams within our own bounds. */
function inflateBy(encoding: Encoding, bodies: BodyBudget): Compression["decompress"] {
  return async (bytes, maxBytes) => (await inflate(bytes, encoding, maxBytes, bodies.open(false))) as Uint8Array<ArrayBuffer>;
}

function isPathOf(serviceNames: ReadonlySet<string>, path: string): boolean {
  const end = path.indexOf("/", 1);
  return end > 0 && serviceNames.has(path.slice(1, end));
}

function splitTarget(target: string): [path: string, query: string] {
  const at = target.indexOf("?");
  return at < 0 ? [target, ""] : [target.slice(0, at), target.slice(at + 1)];
}

function allowedMethods(route: UniversalHandler): string[] {
  return [...new Set(route.allowedMethods)].sort();
}
