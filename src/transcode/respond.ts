import type { ServerResponse } from "node:http";
import { createRegistry, type JsonObject, type Message, toJson } from "@bufbuild/protobuf";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { detailSchemas, failureStatus } from "../call/error-details.ts";
import type { Failure } from "../error/failure.ts";
import { errorTable } from "../error/table.ts";
import type { AnswerQueue } from "../http/answer-queue.ts";
import type { HttpRequest, HttpResponse } from "../http/message.ts";
import { writeJson } from "../protojson/write.ts";
import type { Route } from "./route.ts";

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

/** Encodes a success: the route's status and Location, and the message or its field as JSON. Throws if the message has no JSON form. */
export function encodeAnswer(route: Route, message: Message): EncodedAnswer {
  const { status, location } = route.success;
  return { status, location: location?.(message), text: status === 204 ? "" : responseText(route, message) };
}

export function sendAnswer(
  request: HttpRequest,
  response: HttpResponse,
  { status, location, text }: EncodedAnswer,
  headers: ResponseHeaders,
  answers: AnswerQueue,
): void {
  const allHeaders = location === undefined ? headers : { ...headers, location };
  if (status === 204) sendNothing(response, allHeaders);
  else sendJson(request, response, { status, text, headers: allHeaders }, answers);
}

function responseText(route: Route, message: Message): string {
  const schema = route.method.output;
  if (route.responseBody === undefined) return writeJson(schema, message);
  const { name, fieldKind } = route.responseBody;
  const member = (toJson(schema, message, { useProtoFieldName: true }) as JsonObject)[name];
  if (member !== undefined) return JSON.stringify(member);
  // An unset field is an empty message, or the field's default.
  const defaults = toJson(schema, message, { useProtoFieldName: true, alwaysEmitImplicit: true }) as JsonObject;
  return fieldKind === "message" ? "{}" : JSON.stringify(defaults[name] ?? null);
}

/** The JSON of a failure: google.rpc.Status, with the `error` object of AIP-193 beside its members. */
export function failureBody(failure: Failure, requestId: string): JsonObject {
  const { code, httpStatus } = errorTable[failure.reason];
  const status = toJson(StatusSchema, failureStatus(failure, requestId), statusOptions) as JsonObject;
  return { ...status, error: { code: httpStatus, status: code, message: status.message ?? "", details: status.details ?? [] } };
}

/**
 * Writes a failure as google.rpc.Status, with the `error` object of AIP-193 beside its members. If the body is too large, the HTTP/1.1
 * connection is closed after the response. If the body was not read completely, the HTTP/2 stream is closed.
 */
export function sendFailure(
  request: HttpRequest,
  response: HttpResponse,
  failure: Failure,
  headers: ResponseHeaders,
  status: number = errorTable[failure.reason].httpStatus,
): void {
  if (failure.reason === "BODY_TOO_LARGE" || isLeftUnread(request)) closeAfter(response);
  sendJson(request, response, { status, text: JSON.stringify(failureBody(failure, headers["x-request-id"] ?? "")), headers });
  // A body that is not read would stay in memory until the response is read.
  request.resume();
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
  writeHead(response, status, {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...headers,
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
  });
  if (request.method === "HEAD") response.end();
  else if (answers === undefined || "stream" in response) response.end(text);
  else answers.end(response, text);
}

/**
 * HTTP/1.1 and HTTP/2 responses accept the same arguments, but their types differ. Headers are written in one call, which costs less than a
 * `setHeader` for each (bench/micro.ts).
 */
function writeHead(response: HttpResponse, status: number, headers: Record<string, string | number>): void {
  (response as ServerResponse).writeHead(status, headers);
}

/** A 204. */
export function sendNothing(response: HttpResponse, headers: ResponseHeaders): void {
  writeHead(response, 204, { "cache-control": "no-store", "x-content-type-options": "nosniff", ...headers });
  response.end();
}
