import { Failure } from "../error/failure.ts";
import { endInPieces } from "../http/end-in-pieces.ts";
import { isNamedIn } from "../http/etag.ts";
import { requestIdOf } from "../http/http-call.ts";
import { sendFailure } from "../http/json-answer.ts";
import { type HttpHandler, type HttpRequest, type HttpResponse, headerOf } from "../http/message.ts";
import type { Representation } from "./representation.ts";

/** Chooses the representation for a request. */
export type Choose = (request: HttpRequest) => Representation;

/**
 * Serves a public resource: GET and HEAD, with an ETag and 304 (RFC 9110, section 13). Caches must check each time whether it has changed,
 * because a new version of the service changes it. `load` is called for the first request, because most servers never get one.
 */
export function serve(load: () => Promise<Choose>): HttpHandler {
  let loading: Promise<Choose> | undefined;
  return (request, response) => {
    // A body that is not read would stay in memory until the response is read.
    request.resume();
    if (request.method !== "GET" && request.method !== "HEAD") {
      refuse(request, response);
      return;
    }
    loading ??= load();
    loading.then(
      (choose) => send(choose(request), request, response),
      (error: unknown) => {
        loading = undefined;
        fail(error instanceof Failure ? error : new Failure("INTERNAL"), request, response);
      },
    );
  };
}

function send({ contentType, identity, gzip, headers }: Representation, request: HttpRequest, response: HttpResponse): void {
  if (response.destroyed) return;
  const encoded = gzip !== undefined && acceptsGzip(headerOf(request, "accept-encoding") ?? "") ? gzip : identity;
  response.setHeader("cache-control", "no-cache");
  response.setHeader("x-content-type-options", "nosniff");
  response.setHeader("vary", vary(response, headers.vary));
  response.setHeader("etag", encoded.etag);
  for (const [name, value] of Object.entries(headers)) if (name !== "vary") response.setHeader(name, value);
  if (isNamedIn(headerOf(request, "if-none-match"), encoded.etag)) {
    response.statusCode = 304;
    response.end();
    return;
  }
  response.setHeader("content-type", contentType);
  response.setHeader("content-length", encoded.bytes.length);
  if (encoded === gzip) response.setHeader("content-encoding", "gzip");
  if (request.method === "HEAD") response.end();
  else endInPieces(response, encoded.bytes);
}

/** CORS may have set the header earlier. */
function vary(response: HttpResponse, own: string | undefined): string {
  const before = response.getHeader("vary");
  return [...(typeof before === "string" ? [before] : []), "accept-encoding", ...(own === undefined ? [] : [own])].join(", ");
}

function acceptsGzip(header: string): boolean {
  return header.split(",").some((part) => /^\s*(?:x-)?gzip\s*(?:;\s*q=(?:1(?:\.0*)?|0?\.\d*[1-9]\d*)\s*)?$/i.test(part));
}

function refuse(request: HttpRequest, response: HttpResponse): void {
  response.setHeader("allow", "GET, HEAD, OPTIONS");
  if (request.method === "OPTIONS") {
    response.statusCode = 204;
    response.end();
    return;
  }
  fail(new Failure("METHOD_NOT_ALLOWED"), request, response);
}

function fail(failure: Failure, request: HttpRequest, response: HttpResponse): void {
  if (!response.destroyed) sendFailure(request, response, failure, { "x-request-id": requestIdOf(request) });
}
