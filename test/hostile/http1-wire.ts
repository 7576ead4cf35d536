import { connect, type Socket } from "node:net";

/** An HTTP/1.1 response, parsed from the raw bytes: a client library would refuse to send, or hide, what the attacks test. */
export interface WireResponse {
  readonly httpStatus: number;
  /** Names in lower case; the last value of repeated ones. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

export interface Exchange {
  /** Final responses, only complete ones. */
  readonly responses: readonly WireResponse[];
  /** All received bytes. */
  readonly bytes: Buffer;
  /** State of the connection when the exchange ended. */
  readonly end: "open" | "closed" | "reset" | "timeout";
}

export interface ExchangeOptions {
  /** Number of responses to wait for before this side closes the connection. */
  readonly answers: number;
  /** How long to keep listening after the last response, to see that nothing more arrives. */
  readonly lingerMs?: number;
  readonly timeoutMs: number;
  readonly isHead?: boolean;
  /** Sends FIN after the last byte. */
  readonly halfClose?: boolean;
}

/** Opens a connection, sends the chunks (a number is a pause in ms), and reads until the responses have arrived or the server closes. */
export function exchange(port: number, chunks: readonly (string | Buffer | number)[], options: ExchangeOptions): Promise<Exchange> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    const received: Buffer[] = [];
    let bytes = Buffer.alloc(0);
    let linger: NodeJS.Timeout | undefined;
    const finish = (end: Exchange["end"]) => {
      clearTimeout(timer);
      clearTimeout(linger);
      socket.destroy();
      bytes = Buffer.concat(received);
      resolve({ responses: parseResponses(bytes, options.isHead === true).responses, bytes, end });
    };
    const timer = setTimeout(() => finish("timeout"), options.timeoutMs);
    socket.on("data", (chunk) => {
      received.push(chunk);
      bytes = Buffer.concat(received);
      if (linger !== undefined || parseResponses(bytes, options.isHead === true).responses.length < options.answers) return;
      linger = setTimeout(() => finish("open"), options.lingerMs ?? 0);
    });
    socket.on("end", () => finish("closed"));
    socket.on("close", () => finish("closed"));
    socket.on("error", () => finish("reset"));
    void sendAll(socket, chunks, options.halfClose === true);
  });
}

async function sendAll(socket: Socket, chunks: readonly (string | Buffer | number)[], halfClose: boolean): Promise<void> {
  for (const chunk of chunks) {
    if (socket.destroyed) return;
    if (typeof chunk === "number") await new Promise((wake) => setTimeout(wake, chunk));
    else if (socket.writable) socket.write(typeof chunk === "string" ? Buffer.from(chunk, "latin1") : chunk);
  }
  if (halfClose) socket.end();
}

/** Returns the complete final responses at the beginning of the bytes, and where the rest begins. */
export function parseResponses(bytes: Buffer, isHead: boolean): { responses: WireResponse[]; offset: number } {
  const responses: WireResponse[] = [];
  let offset = 0;
  for (;;) {
    const headEnd = bytes.indexOf("\r\n\r\n", offset, "latin1");
    if (headEnd < 0) return { responses, offset };
    const [statusLine = "", ...lines] = bytes.toString("latin1", offset, headEnd).split("\r\n");
    const httpStatus = Number(/^HTTP\/1\.[01] (\d{3})/.exec(statusLine)?.[1] ?? 0);
    const headers = new Map(lines.map((line) => [line.split(":", 1)[0]?.toLowerCase() ?? "", line.slice(line.indexOf(":") + 1).trim()]));
    const body = bodyAt(bytes, headEnd + 4, headers, isHead || httpStatus < 200 || httpStatus === 204 || httpStatus === 304);
    if (body === undefined) return { responses, offset };
    offset = body.end;
    if (httpStatus >= 200 || httpStatus === 0) responses.push({ httpStatus, headers, body: body.content });
    if (httpStatus === 0) return { responses, offset };
  }
}

function bodyAt(bytes: Buffer, start: number, headers: ReadonlyMap<string, string>, isEmpty: boolean) {
  if (isEmpty) return { content: Buffer.alloc(0), end: start };
  if (headers.get("transfer-encoding") === "chunked") return chunkedAt(bytes, start);
  const end = start + Number(headers.get("content-length") ?? 0);
  return end > bytes.length ? undefined : { content: bytes.subarray(start, end), end };
}

function chunkedAt(bytes: Buffer, start: number) {
  const parts: Buffer[] = [];
  for (let offset = start; ; ) {
    const lineEnd = bytes.indexOf("\r\n", offset, "latin1");
    if (lineEnd < 0) return undefined;
    const byteLength = Number.parseInt(bytes.toString("latin1", offset, lineEnd), 16);
    const end = lineEnd + 2 + byteLength + 2;
    if (end > bytes.length) return undefined;
    if (byteLength === 0) return { content: Buffer.concat(parts), end };
    parts.push(bytes.subarray(lineEnd + 2, end - 2));
    offset = end;
  }
}
