import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { connectRefused, type ErrorAnswer, errorBody } from "./error-answer.ts";
import type { Exchanges } from "./exchanges.ts";

const malformed: ErrorAnswer = { httpStatus: 400, code: "INVALID_ARGUMENT", message: "the request is not valid HTTP/1.1" };
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
 * Answers requests that Node's parser refuses, and CONNECT, in JSON, and closes the connection. Requests before them on the connection get
 * their own responses first: whoever sent one would else read that it is invalid, although it is carried out.
 */
export function answerHttp1Errors(
  server: Server,
  { responsesOn, isAnswered }: Pick<Exchanges, "responsesOn" | "isAnswered">,
  lingerMs: number,
): void {
  const isRefused = new WeakSet<Duplex>();
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
    // The parser also refuses whatever arrives after a refusal.
    if (socket.writableEnded || isRefused.has(socket)) return;
    const answer = answers[error.code ?? ""] ?? (error.code?.startsWith("HPE_") ? malformed : undefined);
    if (answer === undefined || !socket.writable) {
      socket.destroy();
      return;
    }
    isRefused.add(socket);
    // A second response would be read as that of the next request. The linger of the first one closes the connection.
    if (isAnswered(socket)) socket.end();
    else closeInTurn(socket, responsesOn(socket), (): void => closeWith(socket, answer, lingerMs));
  });
  server.on("connect", ({ socket }: IncomingMessage) => {
    // Node removes its own listeners before it hands over the socket.
    socket.on("error", () => {});
    socket.resume();
    closeInTurn(socket, responsesOn(socket), () => closeWith(socket, connectRefused, lingerMs));
  });
}

/** Calls `close` after the responses to the requests before the refused one. That one has a response too if its head was valid. */
function closeInTurn(socket: Duplex, responses: ServerResponse[], close: () => void): void {
  const refused = responses.at(-1)?.req.complete === false ? responses.pop() : undefined;
  const closeOnce = (): void => {
    // Node has ended the socket if the response before was the last one of the connection.
    if (socket.writableEnded || socket.destroyed) return;
    if (refused?.writableEnded) refused.once("close", () => socket.end());
    else if (refused?.headersSent) socket.destroy();
    else close();
  };
  const before = responses.at(-1);
  if (before === undefined) closeOnce();
  else before.once("close", closeOnce);
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
