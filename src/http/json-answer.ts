import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { createRegistry, type JsonObject, toJson } from "@bufbuild/protobuf";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { detailSchemas, failureStatus } from "../call/error-details.ts";
import type { Failure } from "../error/failure.ts";
import { errorTable } from "../error/table.ts";
import type { AnswerQueue } from "./answer-queue.ts";
import { isNamedIn } from "./etag.ts";
import { type HttpRequest, type HttpResponse, headerOf } from "./message.ts";

const statusOptions = { useProtoFieldName: true, registry: createRegistry(...detailSchemas) };

/** Headers of a response by lower-case name, including `x-request-id`. */
export type ResponseHeaders = Readonly<Record<string, string>>;

/** An encoded success. */
export interface EncodedAnswer {
  readonly status: number;
  readonly location: string | undefined;
  /** Empty for a 204. */
  readonly text: string;
}

export function sendAnswer(
  request: HttpRequest,
  response: HttpResponse,
  { status, location, text }: EncodedAnswer,
  headers: ResponseHeaders,
  answers: AnswerQueue,
): void {
  const allHeaders = location === undefined ? headers : { ...headers, location };
  if (status === 204) sendNothing(request, response, allHeaders);
  else if (isUnchanged(request, headers.etag)) sendUnchanged(response, allHeaders);
  else sendJson(request, response, { status, text, headers: allHeaders }, answers);
  discard(request);
}

/** Only methods that caches keep send an ETag. */
function isUnchanged(request: HttpRequest, etag: string | undefined): boolean {
  return (
    etag !== undefined && (request.method === "GET" || request.method === "HEAD") && isNamedIn(headerOf(request, "if-none-match"), etag)
  );
}

/** A 304: the client may use what it has. */
function sendUnchanged(response: HttpResponse, headers: ResponseHeaders): void {
  writeHead(response, 304, headers);
  response.end();
}

/**
 * Reads a request to its end after its answer. A body that is not read would stay in memory until the response is read, and an HTTP/2
 * stream whose request is not read never closes if the client resets it without an error.
 */
function discard(request: HttpRequest): void {
  if (!request.readableEnded) request.resume();
}

/** The JSON of a failure: google.rpc.Status, with the `error` object of AIP-193 beside its members. */
export function failureBody(failure: Failure, requestId: string): JsonObject {
  const { code, httpStatus } = errorTable[failure.reason];
  const status = toJson(StatusSchema, failureStatus(failure, requestId), statusOptions) as JsonObject;
  return { ...status, error: { code: httpStatus, status: code, message: status.message ?? "", details: status.details ?? [] } };
}

/**
 * Writes a failure as google.rpc.Status, with the `error` object of AIP-193 beside its members. If the body is too large and not all
 * here, the HTTP/1.1 connection is closed after the response. If the body was not read completely, the HTTP/2 stream is closed.
 */
export function sendFailure(
  request: HttpRequest,
  response: HttpResponse,
  failure: Failure,
  headers: ResponseHeaders,
  status: number = errorTable[failure.reason].httpStatus,
): void {
  if ((failure.reason === "BODY_TOO_LARGE" && !request.complete) || isLeftUnread(request)) closeAfter(response);
  sendJson(request, response, { status, text: JSON.stringify(failureBody(failure, headers["x-request-id"] ?? "")), headers });
  discard(request);
}

/** HTTP/1.1 keeps its connection if the rest arrives soon. */
function isLeftUnread(request: HttpRequest): boolean {
  return "stream" in request && !request.complete && !request.stream.endAfterHeaders;
}

function closeAfter(response: HttpResponse): void {
  if (!("stream" in response)) {
    response.setHeader("connection", "close");
    return;
  }
  const { stream } = response;
  response.once("finish", () => stream.close());
}

function sendJson(
  request: HttpRequest,
  response: HttpResponse,
  { status, text, headers }: { status: number; text: string; headers: ResponseHeaders },
  answers?: AnswerQueue,
): void {
  writeHead(response, status, { "content-type": "application/json", "content-length": Buffer.byteLength(text), ...headers });
  if (request.method === "HEAD") response.end();
  else if (answers === undefined || "stream" in response) response.end(text);
  else answers.end(response, text);
}

/** Headers of every response that has no others of these names. */
const defaults = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

/**
 * HTTP/1.1 and HTTP/2 responses accept the same arguments, but their types differ. Headers are written in one call, which costs less than a
 * `setHeader` for each (bench/micro.ts).
 */
function writeHead(response: HttpResponse, status: number, headers: OutgoingHttpHeaders): void {
  (response as ServerResponse).writeHead(status, { ...defaults, ...headers });
}

/** A 204. */
export function sendNothing(request: HttpRequest, response: HttpResponse, headers: ResponseHeaders): void {
  writeHead(response, 204, headers);
  response.end();
  discard(request);
}
