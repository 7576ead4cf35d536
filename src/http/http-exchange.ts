import type { IncomingHttpHeaders, OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { type ServerHttp2Stream, sensitiveHeaders } from "node:http2";
import type { Readable } from "node:stream";
import type { AnswerQueue } from "./answer-queue.ts";
import { type HttpRequest, type HttpResponse, type RequestHead, StreamHead } from "./message.ts";

/** A request and the target of its response. */
export interface HttpExchange {
  readonly head: RequestHead;
  /** The source of the body. */
  readonly source: Readable;
  /** HTTP/2 responses are written to the bare stream, because Node's compatibility layer adds to their cost (bench/micro.ts). */
  readonly sink: ServerResponse | ServerHttp2Stream;
  /** Headers that were set earlier (CORS). A ServerResponse adds its own headers itself. */
  readonly presetHeaders: OutgoingHttpHeaders | undefined;
}

export function exchangeOf(request: HttpRequest, response: HttpResponse): HttpExchange {
  if (!("stream" in response)) return { head: request, source: request, sink: response, presetHeaders: undefined };
  const { stream } = response;
  return { head: request, source: stream, sink: stream, presetHeaders: response.getHeaders() };
}

export function exchangeOfStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): HttpExchange {
  return { head: new StreamHead(stream, headers), source: stream, sink: stream, presetHeaders: undefined };
}

/** Writes a whole response. Adds to `headers`. */
export function writeAnswer(
  exchange: HttpExchange,
  status: number,
  headers: OutgoingHttpHeaders,
  body: Uint8Array,
  answers: AnswerQueue,
): void {
  const { sink } = exchange;
  headers["content-length"] = body.length;
  if (isStream(sink)) {
    if (isGone(sink)) return;
    sink.respond(streamHeaders(exchange, status, headers));
    sink.end(body);
  } else {
    answers.end(sink.writeHead(status, headers), body);
  }
}

/** Writes a response without a body: over HTTP/2 one HEADERS frame with END_STREAM. */
export function writeHeaders(exchange: HttpExchange, status: number, headers: OutgoingHttpHeaders): void {
  const { sink } = exchange;
  if (isStream(sink)) {
    if (!isGone(sink)) sink.respond(streamHeaders(exchange, status, headers), { endStream: true });
  } else sink.writeHead(status, { ...headers, "content-length": 0 }).end();
}

const awaitTrailers = { waitForTrailers: true };

/** Writes a 200 with a body and trailers. */
export function writeWithTrailers(
  exchange: HttpExchange,
  headers: OutgoingHttpHeaders,
  body: Uint8Array,
  trailers: Readonly<Record<string, string>>,
): void {
  const { sink } = exchange;
  if (isStream(sink)) {
    if (isGone(sink)) return;
    // Node's compatibility layer would send its own, empty trailers first, and a second `sendTrailers` throws.
    if (exchange.presetHeaders !== undefined) sink.removeAllListeners("wantTrailers");
    sink.on("wantTrailers", () => sink.sendTrailers(trailers));
    sink.respond(streamHeaders(exchange, 200, headers), awaitTrailers);
    sink.end(body);
  } else {
    sink.writeHead(200, { ...headers, trailer: Object.keys(trailers).join(", ") });
    sink.addTrailers(trailers);
    sink.end(body);
  }
}

/** Each response has a new id. In HPACK's table it would push out values that repeat. */
const notIndexed = ["x-request-id"];

/**
 * A list of names and values, which costs Node less than an object, because Node copies an object first (bench/verify.ts). Node adds the
 * date.
 */
function streamHeaders({ presetHeaders }: HttpExchange, status: number, headers: OutgoingHttpHeaders): string[] {
  const all = presetHeaders === undefined ? headers : { ...presetHeaders, ...headers };
  const list: OutgoingHttpHeader[] = [":status", status];
  for (const name of Object.keys(all)) list.push(name, all[name] as OutgoingHttpHeader);
  (list as unknown as Record<symbol, readonly string[]>)[sensitiveHeaders] = notIndexed;
  // Node accepts numbers and lists too, although its types do not.
  return list as string[];
}

/** A stream may be reset in the same read that brings its headers. Then `respond` throws, and no client is left to answer. */
export function isGone({ destroyed, closed }: ServerHttp2Stream): boolean {
  return destroyed || closed;
}

function isStream(sink: HttpExchange["sink"]): sink is ServerHttp2Stream {
  return "respond" in sink;
}
