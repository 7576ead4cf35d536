import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { isGone } from "../http/http-exchange.ts";
import type { HttpHandler, HttpRequest, HttpResponse, StreamHandler } from "../http/message.ts";
import { targetAuthority } from "../http/target.ts";
import type { Connections } from "./connections.ts";
import { connectRefused, type ErrorAnswer, sendError, sendGrpcError } from "./error-answer.ts";
import type { Exchanges } from "./exchanges.ts";
import type { ListenerLimits } from "./limits.ts";
import { createPipelines } from "./pipelines.ts";
import { http1Flaw, http2Flaw, joinAuthorization } from "./request-flaws.ts";
import { together } from "./together.ts";

export interface GateOptions {
  readonly handler: HttpHandler;
  readonly streamHandler: StreamHandler;
  readonly connections: Connections;
  /** Returns whether a connection accepts no more requests after this one. */
  readonly isOver: (handle: object) => boolean;
  readonly exchanges: Exchanges;
  readonly limits: ListenerLimits;
  /** Aborts once no more connections are accepted. Requests that arrive later are the last of their HTTP/1.1 connections. */
  readonly portClosed: AbortSignal;
  readonly onError: (error: unknown) => void;
}

interface Http1Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** Listeners for the events of an HTTP server. */
export interface Gate<Request, Response> {
  readonly request: (request: Request, response: Response) => void;
  readonly refuseExpectation: (request: Request, response: Response) => void;
  /** For a client that sends its body only once it is asked for it (RFC 9110, section 10.1.1). */
  readonly sendContinue: (request: Request, response: Response) => void;
}

const unknownExpectation: ErrorAnswer = {
  httpStatus: 417,
  code: "INVALID_ARGUMENT",
  message: "the only supported expectation is 100-continue",
};
const tooManyRequests: ErrorAnswer = {
  httpStatus: 429,
  code: "RESOURCE_EXHAUSTED",
  message: "too many requests without a valid bearer token are in progress; try again later",
};
const handlerFailed: ErrorAnswer = { httpStatus: 500, code: "INTERNAL", message: "internal error" };

/**
 * Runs before the handler. Refuses requests that Node accepts although RFC 9112 forbids them, and does the book-keeping for drain and
 * time-outs. The requests of one turn of the event loop are then handled together.
 */
export function createHttp1Gate(options: GateOptions): Gate<IncomingMessage, ServerResponse> {
  const { handler, connections, isOver, exchanges, limits, portClosed, onError } = options;
  const pipelines = createPipelines(limits.maxPipelinedRequests);

  /** Returns false if the request must not be handled. */
  const enter = (request: IncomingMessage, response: ServerResponse): boolean => {
    const { socket } = request;
    if (socket.destroyed) return false;
    if ((portClosed.aborted || isOver(socket)) && !exchanges.closeAfter(response)) return false;
    if (!pipelines.add(socket, response)) return false;
    exchanges.add(response);
    if (connections.isKnown(socket)) return true;
    if (pipelines.isOver(socket)) {
      socket.destroy();
      return false;
    }
    shortenIdleTime(socket, response);
    if (connections.takeRequest(socket, response)) return true;
    refuse(request, response, tooManyRequests);
    return false;
  };

  /** Node gives every connection the same idle time, and sets it when a response is complete. */
  const shortenIdleTime = (socket: Socket, response: ServerResponse): void => {
    if (response.shouldKeepAlive && !response.hasHeader("connection")) {
      response.setHeader("keep-alive", `timeout=${Math.floor(limits.anonymousIdleMs / 1000)}`);
    }
    response.once("close", () => {
      const isIdle = !socket.destroyed && !pipelines.isWaiting(socket);
      if (isIdle && !connections.isKnown(socket)) socket.setTimeout(limits.anonymousIdleMs);
    });
  };
  const handleLater = together((exchange: Http1Exchange) => {
    const { request, response } = exchange;
    // By now the client may have disconnected, or the connection may end before this response. Then nobody would get it.
    if (pipelines.mayHandle(response, () => handleLater(exchange))) guarded(handler, request, response, onError);
  });
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    // No request is read after the last response of a connection.
    if (request.socket.writableEnded) return;
    if (enter(request, response) && isSound(request, response, limits.maxHeaderCount)) handleLater({ request, response });
  };
  return {
    request: handle,
    refuseExpectation(request, response) {
      if (enter(request, response)) refuse(request, response, unknownExpectation);
    },
    sendContinue(request, response) {
      continueWhenRead(request, response, () => !response.headersSent);
      handle(request, response);
    },
  };
}

export interface Http2Gate extends Gate<Http2ServerRequest, Http2ServerResponse> {
  readonly refuseConnect: (request: Http2ServerRequest, response: Http2ServerResponse) => void;
  /** Runs as soon as a stream has its headers. Returns false if it must not be handled. */
  readonly enter: (stream: ServerHttp2Stream) => boolean;
  /** Runs after `enter` and before the others. */
  readonly stream: StreamHandler;
}

/** The same for HTTP/2. */
export function createHttp2Gate({ handler, streamHandler, connections, exchanges, limits, onError }: GateOptions): Http2Gate {
  const handle = (request: Http2ServerRequest, response: Http2ServerResponse): void => {
    const flaw = http2Flaw(request.headers, request.rawHeaders, limits.maxHeaderBytes);
    if (flaw === undefined) guarded(handler, request, response, onError);
    else refuse(request, response, flaw);
  };
  return {
    enter(stream) {
      // The client reset it before its turn. Only an error event follows, no `close`, and no client is left to answer.
      if (stream.destroyed) {
        stream.on("error", () => {});
        return false;
      }
      exchanges.add(stream);
      if (connections.takeRequest(stream.session as ServerHttp2Session, stream)) return true;
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return false;
    },
    stream(stream, headers, rawHeaders) {
      joinAuthorization(headers, rawHeaders);
      if (headers.expect !== undefined || http2Flaw(headers, rawHeaders, limits.maxHeaderBytes) !== undefined) return false;
      try {
        return streamHandler(stream, headers, rawHeaders);
      } catch (error) {
        onError(error);
        stream.close(constants.NGHTTP2_INTERNAL_ERROR);
        return true;
      }
    },
    request: handle,
    sendContinue(request, response) {
      const { stream } = response;
      // Node would throw, without anyone to catch it, if the stream was reset.
      continueWhenRead(stream, response, () => !stream.headersSent && !isGone(stream));
      handle(request, response);
    },
    refuseExpectation: (request, response) => refuse(request, response, unknownExpectation),
    refuseConnect: (request, response) => refuse(request, response, connectRefused),
  };
}

/** Asks for the body when it is first read: once the caller is authorised. After a refusal it is read only to be dropped. */
function continueWhenRead(source: Readable, response: HttpResponse, isOpen: () => boolean): void {
  source.once("resume", () => {
    if (isOpen()) response.writeContinue();
  });
}

function guarded(handler: HttpHandler, request: HttpRequest, response: HttpResponse, onError: (error: unknown) => void): void {
  try {
    handler(request, response);
  } catch (error) {
    onError(error);
    if (response.headersSent) response.destroy();
    else refuse(request, response, handlerFailed);
  }
}

/** Sends an error. On HTTP/1.1 also ends the connection, because the start of the next request is uncertain. */
function refuse(request: HttpRequest, response: HttpResponse, answer: ErrorAnswer): void {
  const send = request.headers["content-type"]?.startsWith("application/grpc") ? sendGrpcError : sendError;
  send(response, answer, "stream" in response ? {} : { connection: "close" });
}

/** Refuses a request that breaks HTTP. Otherwise returns true, and its headers say what its raw lines say. */
function isSound(request: IncomingMessage, response: ServerResponse, maxHeaderCount: number): boolean {
  joinAuthorization(request.headers, request.rawHeaders);
  const authority = targetAuthority(request);
  const flaw = http1Flaw(request, authority, maxHeaderCount);
  if (flaw !== undefined) {
    refuse(request, response, flaw);
    return false;
  }
  // It counts instead of the Host line (RFC 9112, section 3.2.2).
  if (authority !== undefined) request.headers.host = authority;
  return true;
}
