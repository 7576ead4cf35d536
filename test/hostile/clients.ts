import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, constants, type OutgoingHttpHeaders } from "node:http2";
import { connect, type Socket } from "node:net";
import { parseResponses, type WireResponse } from "./http1-wire.ts";
import type { Answer } from "./report.ts";

export interface WireRequest {
  readonly method: string;
  /** As sent on the wire. */
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: Buffer;
}

/** The response, or why there was none. */
export type Outcome = Answer | "closed" | "timeout" | "reset with INTERNAL_ERROR";

/** Sends requests one after the other on one connection, for as long as the server keeps it open. */
export interface WireClient {
  send(request: WireRequest): Promise<Outcome>;
  close(): void;
}

const timeoutMs = 20_000;

export function http1Client(port: number): WireClient {
  let socket: Socket | undefined;
  return {
    send({ method, path, headers, body = Buffer.alloc(0) }) {
      const given = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
      const length = headers.some(([name]) => /^(content-length|transfer-encoding)$/i.test(name))
        ? ""
        : `Content-Length: ${body.length}\r\n`;
      const head = Buffer.from(`${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${given}${length}\r\n`, "latin1");
      return new Promise((resolve) => {
        const used =
          socket?.destroyed === false && socket.writable && !socket.readableEnded
            ? socket
            : connect({ port, host: "127.0.0.1", noDelay: true });
        socket = used;
        let bytes: Buffer = Buffer.alloc(0);
        const finish = (outcome: Outcome, keep: boolean) => {
          clearTimeout(timer);
          used.removeAllListeners("data").removeAllListeners("end").removeAllListeners("close");
          if (!keep) used.destroy();
          resolve(outcome);
        };
        const timer = setTimeout(() => finish("timeout", false), timeoutMs);
        const read = (chunk: Buffer) => {
          bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
          const { responses, offset } = parseResponses(bytes, method === "HEAD");
          const [response] = responses;
          if (response !== undefined) finish(answerOf(response), offset === bytes.length && response.headers.get("connection") !== "close");
        };
        used.on("data", read);
        used.on("end", () => finish("closed", false));
        used.on("close", () => finish("closed", false));
        if (used.listenerCount("error") === 0) used.on("error", () => {});
        used.write(body.length > 0 ? Buffer.concat([head, body]) : head);
      });
    },
    close: () => socket?.destroy(),
  };
}

function answerOf({ httpStatus, headers, body }: WireResponse): Answer {
  return { httpStatus, grpcStatus: headers.get("grpc-status"), grpcMessage: headers.get("grpc-message"), body };
}

/** Uses HTTP/2. Throws if Node's client refuses to send the request. */
export function http2Client(url: string): WireClient {
  let session: ClientHttp2Session | undefined;
  let sent = 0;
  return {
    send({ method, path, headers, body }) {
      sent += 1;
      // Opens a new session at intervals, so that opening and closing sessions is part of the attack.
      if (sent % 200 === 0) session?.close();
      if (session === undefined || session.closed || session.destroyed) session = connectHttp2(url).on("error", () => {});
      const fields: OutgoingHttpHeaders = { ":method": method, ":path": path };
      for (const [name, value] of headers) fields[name.toLowerCase()] = value;
      const stream = session.request(fields, { endStream: body === undefined });
      if (body !== undefined) stream.end(body);
      return outcomeOf(stream);
    },
    close: () => session?.destroy(),
  };
}

function outcomeOf(stream: ClientHttp2Stream): Promise<Outcome> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let httpStatus = 0;
    let grpcStatus: string | undefined;
    let grpcMessage: string | undefined;
    const timer = setTimeout(() => {
      resolve("timeout");
      stream.close(constants.NGHTTP2_CANCEL);
    }, timeoutMs);
    stream.on("response", (headers) => {
      httpStatus = Number(headers[":status"]);
      grpcStatus = headers["grpc-status"]?.toString();
      grpcMessage = headers["grpc-message"]?.toString();
    });
    stream.on("trailers", (trailers) => {
      grpcStatus = trailers["grpc-status"]?.toString();
      grpcMessage = trailers["grpc-message"]?.toString();
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", () => {});
    const finish = () => {
      clearTimeout(timer);
      if (httpStatus > 0) resolve({ httpStatus, grpcStatus, grpcMessage, body: Buffer.concat(chunks) });
      else resolve(stream.rstCode === constants.NGHTTP2_INTERNAL_ERROR ? "reset with INTERNAL_ERROR" : "closed");
    };
    // Node's client emits `close` only after it has sent its own body, which a server that answered early need not read.
    stream.on("end", () => {
      finish();
      if (!stream.writableFinished) stream.close(constants.NGHTTP2_CANCEL);
    });
    stream.on("close", finish);
  });
}
