import type { Status } from "../../gen/google/rpc/status_pb.ts";
import { Failure } from "../error/failure.ts";
import type { Reason } from "../error/table.ts";
import { requestIdOf } from "../http/http-call.ts";
import { exchangeOf, type HttpExchange, writeAnswer, writeHeaders } from "../http/http-exchange.ts";
import { type HttpRequest, type HttpResponse, headerOf } from "../http/message.ts";
import { type Codec, codecOf } from "./codec.ts";
import { discardRest } from "./discard-rest.ts";
import { writeEnvelope } from "./envelope.ts";
import { connectError, connectErrorBody, grpcErrorTrailers } from "./error-encoding.ts";
import { codecOfQuery, parseGetQuery } from "./get-request.ts";
import { trailerFrame, webText } from "./grpc-web.ts";
import type { LaneOptions } from "./lane.ts";

type RefusalOptions = Pick<LaneOptions, "statusOf" | "answers">;
type Headers = Readonly<Record<string, string>>;

const acceptedTypes = [
  "application/grpc",
  "application/grpc-web",
  "application/grpc-web-text",
  "application/json",
  "application/proto",
  "application/connect+json",
  "application/connect+proto",
].join(", ");

/** Number of google.rpc.Code that clients of Connect and gRPC derive from an HTTP status that their protocols do not name. */
const unknownCode = 2;
const endStreamFlag = 2;

/** Whether a caller speaks gRPC or gRPC-Web, whether or not that form is served here. */
export function isGrpcCaller(contentType: string | undefined): boolean {
  return contentType !== undefined && /^application\/grpc/i.test(contentType);
}

/** Clients of Connect look for its errors under exactly `application/json`; a client of an unknown protocol must not find one. */
function errorType({ headers, method }: HttpRequest): string {
  const isConnect = method === "GET" || headers["connect-protocol-version"] !== undefined || codecOf(headers["content-type"]) !== undefined;
  return isConnect ? "application/json" : "application/json; charset=utf-8";
}

/**
 * Answers a request that is not a call, with an HTTP status. Callers of gRPC get a grpc-status beside it and no body, others the body of a
 * Connect error. Both have the code UNKNOWN, as the protocols map these statuses.
 */
function refuse(
  request: HttpRequest,
  response: HttpResponse,
  httpStatus: number,
  { reason, message, headers }: { reason: Reason; message: string; headers: Headers },
  { statusOf, answers }: RefusalOptions,
): void {
  const requestId = requestIdOf(request);
  const status: Status = { ...statusOf(new Failure(reason, { message }), requestId), code: unknownCode };
  const exchange = exchangeOf(request, response);
  const all = { "x-request-id": requestId, ...headers };
  if (isGrpcCaller(headerOf(request, "content-type"))) {
    writeHeaders(exchange, httpStatus, { ...all, "content-type": "application/grpc", ...grpcErrorTrailers(status) });
  } else if (request.method === "HEAD") {
    writeHeaders(exchange, httpStatus, { ...all, "content-type": errorType(request) });
  } else {
    writeAnswer(exchange, httpStatus, { ...all, "content-type": errorType(request) }, connectErrorBody(status), answers);
  }
  discardRest(exchange.source);
}

export function refuseMethod(request: HttpRequest, response: HttpResponse, allow: string, options: RefusalOptions): void {
  const message = "HTTP method not allowed at this path";
  refuse(request, response, 405, { reason: "METHOD_NOT_ALLOWED", message, headers: { allow } }, options);
}

export function refuseContentType(request: HttpRequest, response: HttpResponse, options: RefusalOptions): void {
  const message =
    request.method === "GET" ? "the query must have encoding=json or encoding=proto" : "content type not supported by this method";
  refuse(request, response, 415, { reason: "UNSUPPORTED_MEDIA_TYPE", message, headers: { "accept-post": acceptedTypes } }, options);
}

/** A version of HTTP that a call needs: its token in Upgrade, and why. */
export interface NeededVersion {
  readonly upgrade: string;
  readonly message: string;
}

/** For streams in both directions. */
export const needsHttp2: NeededVersion = { upgrade: "h2c", message: "this method requires HTTP/2" };
/** For trailers, which need a body in chunks. */
export const needsTrailers: NeededVersion = {
  upgrade: "HTTP/1.1",
  message: "gRPC requires HTTP/1.1 or HTTP/2, because HTTP/1.0 has no trailers",
};

/** Refuses a call over an older version of HTTP. The connection is closed, so that a client that waits for a response stops waiting. */
export function refuseVersion(
  request: HttpRequest,
  response: HttpResponse,
  { upgrade, message }: NeededVersion,
  options: RefusalOptions,
): void {
  const headers = { upgrade, connection: "upgrade, close" };
  refuse(request, response, 426, { reason: "UNIMPLEMENTED", message, headers }, options);
}

/**
 * Answers UNIMPLEMENTED to a call of an unknown method, in its own protocol. For unary calls of Connect, the HTTP status shows whether the
 * service exists: 501 if it does, otherwise 404.
 */
export function refuseUnknown(
  request: HttpRequest,
  response: HttpResponse,
  query: string,
  isServiceKnown: boolean,
  options: RefusalOptions,
): void {
  const { method } = request;
  const contentType = headerOf(request, "content-type");
  if (method !== "POST" && method !== "GET") {
    refuseMethod(request, response, "GET, POST", options);
    return;
  }
  const ofQuery = method === "GET" ? codecOfQuery(parseGetQuery(query)) : undefined;
  const codec = ofQuery ?? codecOf(contentType) ?? (isGrpcCaller(contentType) ? codecOf("application/grpc") : undefined);
  if (codec === undefined) {
    refuseContentType(request, response, options);
    return;
  }
  const exchange = exchangeOf(request, response);
  const requestId = requestIdOf(request);
  const status = options.statusOf(new Failure("UNIMPLEMENTED"), requestId);
  writeUnknown(codec, exchange, { httpStatus: isServiceKnown ? 501 : 404, headers: { "x-request-id": requestId }, status }, options);
  discardRest(exchange.source);
}

function writeUnknown(
  { protocol, enveloped, text, contentType }: Codec,
  exchange: HttpExchange,
  { httpStatus, headers, status }: { httpStatus: number; headers: Headers; status: Status },
  { answers }: RefusalOptions,
): void {
  const all = { ...headers, "content-type": contentType };
  if (protocol === "grpc") {
    writeHeaders(exchange, 200, { ...all, ...grpcErrorTrailers(status) });
  } else if (protocol === "grpc-web") {
    const frame = trailerFrame({ ...headers, ...grpcErrorTrailers(status) });
    writeAnswer(exchange, 200, all, text ? webText(frame) : frame, answers);
  } else if (enveloped) {
    const endOfStream = Buffer.from(JSON.stringify({ error: connectError(status), metadata: {} }));
    writeAnswer(exchange, 200, all, writeEnvelope(endOfStream, endStreamFlag), answers);
  } else {
    writeAnswer(exchange, httpStatus, { ...all, "content-type": "application/json" }, connectErrorBody(status), answers);
  }
}
