import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Stream } from "node:http2";

/** A request from Node, HTTP/1.1 or HTTP/2. */
export type HttpRequest = IncomingMessage | Http2ServerRequest;
export type HttpResponse = ServerResponse | Http2ServerResponse;

/** Answers a request. Never throws and never rejects. */
export type HttpHandler = (request: HttpRequest, response: HttpResponse) => void;

/**
 * Answers an HTTP/2 stream without the request and response of Node's compatibility layer, which cost extra (bench/micro.ts). Returns
 * false, and leaves the stream untouched, if the stream is not for this handler.
 */
export type StreamHandler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: readonly string[]) => boolean;

/** The parts of a request before its body. */
export interface RequestHead {
  readonly headers: IncomingHttpHeaders;
  /** Undefined if the connection is closed. */
  readonly socket: { readonly remoteAddress?: string | undefined } | undefined;
  /** The session of an HTTP/2 request. */
  readonly stream?: Pick<ServerHttp2Stream, "session">;
}

/** Returns the head of a request with other headers. */
export function headWith(request: HttpRequest, headers: IncomingHttpHeaders): RequestHead {
  const { socket } = request;
  return "stream" in request ? { headers, socket, stream: request.stream } : { headers, socket };
}

/** Identifies the connection of a request: the HTTP/2 session or the HTTP/1.1 socket. Undefined if it is closed. */
export function connectionOf({ stream, socket }: RequestHead): object | undefined {
  return stream === undefined ? socket : stream.session;
}

/** Returns the head of a request that is a bare HTTP/2 stream. */
export class StreamHead implements RequestHead {
  readonly headers: IncomingHttpHeaders;
  readonly stream: ServerHttp2Stream;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    this.headers = headers;
    this.stream = stream;
  }

  get socket() {
    const { session } = this.stream;
    // The socket of a destroyed session throws on any access.
    return session === undefined || session.destroyed ? undefined : session.socket;
  }
}

/** A header by its lower-case name; several lines joined by ", ". */
export function headerOf({ headers }: Pick<RequestHead, "headers">, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(", ") : value;
}
