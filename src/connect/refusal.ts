import type { ServerResponse } from "node:http";
import { Failure } from "../error/failure.ts";
import type { Reason } from "../error/table.ts";
import { requestIdOf } from "../http/http-call.ts";
import type { HttpRequest, HttpResponse } from "../http/message.ts";
import { connectErrorBody, rpcError } from "./error-encoding.ts";

const acceptedTypes =
  "application/grpc, application/grpc-web, application/json, application/proto, application/connect+json, application/connect+proto";

/** Answers a request that is no call of any protocol, by its HTTP status and the body of a Connect error. */
function refuse(
  request: HttpRequest,
  response: HttpResponse,
  status: number,
  reason: Reason,
  message: string,
  headers: Record<string, string>,
): void {
  const requestId = requestIdOf(request);
  const body = connectErrorBody(rpcError(new Failure(reason, { message }), requestId));
  const all = { "content-type": "application/json", "content-length": body.length, "x-request-id": requestId, ...headers };
  // The two kinds of response share this much, but not their overloads.
  (response as ServerResponse).writeHead(status, all).end(request.method === "HEAD" ? undefined : body);
  request.resume();
}

export function refuseMethod(request: HttpRequest, response: HttpResponse, allow: string): void {
  refuse(request, response, 405, "METHOD_NOT_ALLOWED", "HTTP method not allowed at this path", { allow });
}

export function refuseContentType(request: HttpRequest, response: HttpResponse): void {
  refuse(request, response, 415, "UNSUPPORTED_MEDIA_TYPE", "the content type is none that this method takes", {
    "accept-post": acceptedTypes,
  });
}

/** A call with streams in both directions over HTTP/1.1. The connection is closed, so that a client waiting for an answer stops waiting. */
export function refuseHttp1(request: HttpRequest, response: HttpResponse): void {
  const message = "this method needs HTTP/2";
  refuse(request, response, 426, "UNIMPLEMENTED", message, { upgrade: "h2c", connection: "upgrade, close" });
}
