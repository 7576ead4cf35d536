import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { Admission } from "../call/call.ts";
import { type MethodTable, pathOf } from "../call/methods.ts";
import { createAnswerQueue } from "../http/answer-queue.ts";
import { exchangeOf, exchangeOfStream } from "../http/http-exchange.ts";
import { type HttpHandler, type HttpRequest, type HttpResponse, headerOf, type StreamHandler } from "../http/message.ts";
import { targetOf } from "../http/target.ts";
import { codecOf } from "./codec.ts";
import { connectGet, connectUnary } from "./connect-lane.ts";
import { createMessageEncoder } from "./encode.ts";
import { codecOfQuery, parseGetQuery } from "./get-request.ts";
import { grpcUnary } from "./grpc-lane.ts";
import { grpcWebUnary } from "./grpc-web-lane.ts";
import type { LaneOptions, RpcRoute } from "./lane.ts";
import { isGrpcCaller, needsTrailers, refuseContentType, refuseMethod, refuseUnknown, refuseVersion } from "./refusal.ts";
import { createStreamAdapter } from "./streams/stream-adapter.ts";
import type { StreamAdapterOptions } from "./streams/stream-options.ts";
import { serveUnaryCall } from "./unary-lane.ts";

export interface RpcOptions extends Omit<StreamAdapterOptions, "answers" | "encode"> {
  readonly methods: MethodTable;
  /** Admits calls of `methods`. */
  readonly admit: Admission;
  /** Methods that anyone may call (health). These calls are not observed. */
  readonly openMethods: MethodTable;
  /** Methods of other services, with their own admission. */
  readonly otherRoutes?: readonly RpcRoute[];
  /** Bound of a request message of the method, before and after inflating. */
  readonly maxBytes: (method: DescMethod) => number;
}

export interface RpcHandler {
  readonly handler: HttpHandler;
  /** Call before a stream becomes a request, because gRPC's lane works only on bare streams. */
  readonly streamHandler: StreamHandler;
  /** Whether a request is for `handler`: its path begins with the name of a service that is served here, or it can only be a call. */
  isRpc(path: string, request: Pick<HttpRequest, "headers">): boolean;
}

/** Serves Connect, gRPC and gRPC-Web: unary calls with our own lanes, streams with Connect's handlers. */
export function createRpcHandler(rpcOptions: RpcOptions): RpcHandler {
  const { methods, openMethods } = rpcOptions;
  const options: LaneOptions & RpcOptions = {
    ...rpcOptions,
    answers: createAnswerQueue(),
    encode: createMessageEncoder(rpcOptions.registry),
  };
  const routes = new Map([
    ...routesOf(methods, options.admit, options),
    ...routesOf(openMethods, () => {}, options),
    ...(options.otherRoutes ?? []).map((route) => [pathOf(route.method), route] as const),
  ]);
  const streams = createStreamAdapter(options);
  const serviceNames = new Set([...streams.serviceNames, ...[...routes.values()].map(({ method }) => method.parent.typeName)]);

  const handler: HttpHandler = (request, response) => {
    const { path, query } = targetOf(request);
    const route = routes.get(path);
    if (route !== undefined) serveUnary(route, query, request, response, options);
    else if (streams.has(path)) streams.serve(path, request, response);
    else refuseUnknown(request, response, query, isPathOf(serviceNames, path), options);
  };

  const streamHandler: StreamHandler = (stream, headers) => {
    const route = headers[":method"] === "POST" ? routes.get(headers[":path"] as string) : undefined;
    if (route === undefined) return false;
    const codec = codecOf(headers["content-type"]);
    if (codec?.protocol !== "grpc") return false;
    serveUnaryCall(grpcUnary, { route, codec, exchange: exchangeOfStream(stream, headers), query: noQuery }, options);
    return true;
  };

  const isRpc: RpcHandler["isRpc"] = (path, { headers }) =>
    isPathOf(serviceNames, path) ||
    isGrpcCaller(headers["content-type"]) ||
    (headers["connect-protocol-version"] !== undefined && rpcPath.test(path));

  return { handler, streamHandler, isRpc };
}

/** `/package.Service/Method` */
const rpcPath = /^\/\w+(?:\.\w+)+\/\w+$/;

function serveUnary(route: RpcRoute, query: string, request: HttpRequest, response: HttpResponse, options: LaneOptions): void {
  const isGet = request.method === "GET" && takesGet(route);
  if (!isGet && request.method !== "POST") {
    refuseMethod(request, response, takesGet(route) ? "GET, POST" : "POST", options);
    return;
  }
  const getQuery = isGet ? parseGetQuery(query) : noQuery;
  const codec = isGet ? codecOfQuery(getQuery) : codecOf(headerOf(request, "content-type"));
  if (codec === undefined || (codec.protocol === "connect" && codec.enveloped)) {
    refuseContentType(request, response, options);
    return;
  }
  if (codec.protocol === "grpc" && request.httpVersion === "1.0") {
    refuseVersion(request, response, needsTrailers, options);
    return;
  }
  const exchange = exchangeOf(request, response);
  serveUnaryCall(isGet ? connectGet : postProtocols[codec.protocol], { route, codec, exchange, query: getQuery }, options);
}

const noQuery = parseGetQuery("");
const postProtocols = { connect: connectUnary, grpc: grpcUnary, "grpc-web": grpcWebUnary };

function routesOf(methods: MethodTable, admit: Admission, { maxBytes }: Pick<RpcOptions, "maxBytes">): [string, RpcRoute][] {
  return [...methods].map(([method, handler]) => {
    return [pathOf(method), { method, handler, admit, maxBytes: maxBytes(method) }];
  });
}

function takesGet({ method }: RpcRoute): boolean {
  return method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
}

function isPathOf(serviceNames: ReadonlySet<string>, path: string): boolean {
  const end = path.indexOf("/", 1);
  return end > 0 && serviceNames.has(path.slice(1, end));
}
