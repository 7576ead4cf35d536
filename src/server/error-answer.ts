import { type CodeName, codeNumbers, errorTable, type Reason } from "../error/table.ts";
import { isGone } from "../http/http-exchange.ts";
import type { HttpResponse } from "../http/message.ts";

/** A response to a request that never becomes a call: invalid HTTP, and paths that are not part of the API. */
export interface ErrorAnswer {
  readonly httpStatus: number;
  readonly code: CodeName;
  readonly message: string;
}

export const connectRefused: ErrorAnswer = { httpStatus: 405, code: "UNIMPLEMENTED", message: "CONNECT is not supported" };

/** The response for a reason of the table, with its usual message. */
export function answerFor(reason: Reason): ErrorAnswer {
  const { httpStatus, code, text } = errorTable[reason];
  return { httpStatus, code, message: text };
}

/** `google.rpc.Status` at the top level and the AIP-193 `error` object beside it. */
export function errorBody({ httpStatus, code, message }: ErrorAnswer): string {
  const details: never[] = [];
  return JSON.stringify({ code: codeNumbers[code], message, details, error: { code: httpStatus, status: code, message, details } });
}

/**
 * Answers a caller of gRPC: the HTTP status with a grpc-status beside it, in one HEADERS frame over HTTP/2. `headers` have lower-case
 * names.
 */
export function sendGrpcError(
  response: HttpResponse,
  { httpStatus, code, message }: ErrorAnswer,
  headers: Readonly<Record<string, string>>,
): void {
  const all = { ...headers, "content-type": "application/grpc", "grpc-status": String(codeNumbers[code]), "grpc-message": message };
  if ("stream" in response) {
    if (!isGone(response.stream)) response.stream.respond({ ":status": httpStatus, ...all }, { endStream: true });
  } else response.writeHead(httpStatus, { ...all, "content-length": 0 }).end();
  // A body that is not read would stay in memory until the response is read.
  response.req.resume();
}

/** Answers over HTTP/1.1 or HTTP/2. `headers` have lower-case names. */
export function sendError(response: HttpResponse, answer: ErrorAnswer, headers: Readonly<Record<string, string>> = {}): void {
  sendJson(response, answer.httpStatus, errorBody(answer), headers);
}

/** Sends a whole JSON text. Node omits the body if the request is HEAD. */
export function sendJson(response: HttpResponse, httpStatus: number, text: string, headers: Readonly<Record<string, string>> = {}): void {
  response.statusCode = httpStatus;
  response.setHeader("content-type", "application/json");
  response.setHeader("content-length", String(Buffer.byteLength(text)));
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.end(text);
  // A body that is not read would stay in memory until the response is read.
  response.req.resume();
}
