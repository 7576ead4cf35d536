import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { type ErrorAnswer, errorBody } from "./error-answer.ts";

const malformed: ErrorAnswer = { httpStatus: 400, code: "INVALID_ARGUMENT", message: "the request is not valid HTTP/1.1" };
const connectRefused: ErrorAnswer = { httpStatus: 405, code: "UNIMPLEMENTED", message: "CONNECT is not supported" };
const answers: Readonly<Record<string, ErrorAnswer>> = {
  HPE_HEADER_OVERFLOW: { httpStatus: 431, code: "RESOURCE_EXHAUSTED", message: "the request headers are too large" },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { httpStatus: 413, code: "RESOURCE_EXHAUSTED", message: "the chunk extensions are too large" },
  ERR_HTTP_REQUEST_TIMEOUT: { httpStatus: 408, code: "DEADLINE_EXCEEDED", message: "the request did not arrive in time" },
};
const reasonPhrases: Readonly<Record<number, string>> = {
  400: "Bad Request",
  405: "Method Not Allowed",
  408: "Request Timeout",
  413: "Payload Too Large",
  431: "Request Header Fields Too Large",
};

/**
 * Answers requests that Node's parser refuses, and CONNECT, in JSON, and closes the connection. `hasBegun` returns true if a response has
 * already begun on a socket; then nothing more can be sent.
 */
export function answerHttp1Errors(server: Server, hasBegun: (socket: Duplex) => boolean, lingerMs: number): void {
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
    // The parser also refuses whatever arrives after a refusal. The response has already been sent.
    if (socket.writableEnded) return;
    const answer = answers[error.code ?? ""] ?? (error.code?.startsWith("HPE_") ? malformed : undefined);
    if (answer === undefined || !socket.writable || hasBegun(socket)) socket.destroy();
    else closeWith(socket, answer, lingerMs);
  });
  server.on("connect", (_request: IncomingMessage, socket: Duplex) => {
    // Node removes its own listeners before it hands over the socket.
    socket.on("error", () => {});
    socket.resume();
    closeWith(socket, connectRefused, lingerMs);
  });
}

/** Ends the connection with a response, then waits a moment: closing with unread input would make TCP drop the response. */
function closeWith(socket: Duplex, answer: ErrorAnswer, lingerMs: number): void {
  const body = errorBody(answer);
  socket.end(
    `HTTP/1.1 ${answer.httpStatus} ${reasonPhrases[answer.httpStatus]}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.once("close", () => clearTimeout(timer));
}
