import type { DescMethod } from "@bufbuild/protobuf";
import { createAnswerQueue } from "../http/answer-queue.ts";
import type { HttpHandler, HttpRequest, HttpResponse, StreamHandler } from "../http/message.ts";
import { type ConnectAdapter, type ConnectAdapterOptions, createConnectAdapter } from "./adapter.ts";
import { codecOf } from "./codec.ts";
import { serveConnectUnary } from "./connect-lane.ts";
import { giveUp } from "./give-up.ts";
import { serveGrpcUnary } from "./grpc-lane.ts";
import type { RpcRoute } from "./lane.ts";

export interface RpcHandler extends ConnectAdapter {
  /** To be asked before a stream becomes a request: gRPC's lane works on streams only. */
  readonly streamHandler: StreamHandler;
}

/** The handler of all RPCs: the unary calls that matter on fast lanes, the rest by Connect's adapter. */
export function createRpcHandler(options: ConnectAdapterOptions): RpcHandler {
  const { methods, maxBytes, reportError } = options;
  const adapter = createConnectAdapter(options);
  const connectLane = { ...options, answers: createAnswerQueue() };
  const routes = new Map<string, RpcRoute>();
  for (const [method, handler] of methods) {
    routes.set(pathOf(method), { method, handler, maxBytes: maxBytes(method) });
  }

  const handler: HttpHandler = (request, response) => {
    const route = request.method === "POST" ? routes.get(request.url as string) : undefined;
    const served = route === undefined ? undefined : serve(route, request, response);
    if (served === undefined) adapter.handler(request, response);
    else served.catch((error) => giveUp(response, error, reportError));
  };

  /** Looks at headers only: what it does not take goes to the adapter untouched. */
  const serve = (route: RpcRoute, request: HttpRequest, response: HttpResponse): Promise<void> | undefined => {
    const codec = codecOf(request.headers["content-type"]);
    if (codec === undefined || codec.protocol !== "connect" || codec.enveloped) return undefined;
    const encoding = laneEncoding(request.headers["content-encoding"]);
    return encoding === null ? undefined : serveConnectUnary(route, codec, encoding, request, response, connectLane);
  };

  const streamHandler: StreamHandler = (stream, headers) => {
    const route = headers[":method"] === "POST" ? routes.get(headers[":path"] as string) : undefined;
    if (route === undefined) return false;
    const codec = codecOf(headers["content-type"]);
    if (codec === undefined || codec.protocol !== "grpc" || !codec.binary) return false;
    const encoding = laneEncoding(headers["grpc-encoding"]);
    if (encoding === null) return false;
    serveGrpcUnary(route, encoding, stream, headers, options).catch((error) => giveUp(stream, error, reportError));
    return true;
  };

  return { handler, streamHandler, isRpcPath: adapter.isRpcPath };
}

/** undefined for none, null for one that the lanes leave to the adapter. */
function laneEncoding(header: string | string[] | undefined): "gzip" | undefined | null {
  if (header === undefined || header === "identity") return undefined;
  return header === "gzip" ? "gzip" : null;
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}
