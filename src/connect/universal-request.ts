import type { Writable } from "node:stream";
import { createContextValues } from "@connectrpc/connect";
import type { UniversalServerRequest } from "@connectrpc/connect/protocol";
import type { HttpRequest } from "../http/message.ts";
import { type Codec, contentTypeOf } from "./codec.ts";
import { type Exchange, exchangeKey } from "./exchange.ts";

/** A body that Connect reads itself, and what it must know for it. */
export interface StreamBody {
  readonly source: AsyncIterable<Uint8Array>;
  readonly encoding: string | undefined;
  readonly timeoutMs: number | undefined;
}

/**
 * The request as Connect's handlers take it. Made here and not by connect-node, which throws on a Host header that is no host. Nothing of
 * the caller's that Connect would judge by itself gets through: bodies of unary calls were read, and are replaced by an empty message.
 */
export function universalRequest(
  request: HttpRequest,
  path: string,
  codec: Codec,
  exchange: Exchange,
  sink: Writable,
  stream: StreamBody | undefined,
): UniversalServerRequest {
  const header = webHeaders(request);
  header.set("content-type", contentTypeOf(codec));
  for (const name of protocolHeaders) header.delete(name);
  for (const name of ["accept-encoding", "connect-accept-encoding", "grpc-accept-encoding"]) header.set(name, "identity");
  if (stream !== undefined) setStreamHeaders(header, codec, stream);
  const isGet = request.method === "GET";
  const query = isGet ? (codec.binary ? "?encoding=proto&message=" : "?encoding=json&message=%7B%7D") : "";
  const controller = new AbortController();
  sink.once("close", () => controller.abort());
  return {
    httpVersion: request.httpVersion,
    method: isGet ? "GET" : "POST",
    url: `http://localhost${path}${query}`,
    header,
    body: stream === undefined ? emptyMessage(codec) : stream.source,
    signal: controller.signal,
    contextValues: createContextValues().set(exchangeKey, exchange),
  };
}

const protocolHeaders = [
  "content-length",
  "content-encoding",
  "connect-content-encoding",
  "grpc-encoding",
  "connect-timeout-ms",
  "grpc-timeout",
];

/** Node's setTimeout fires at once beyond 2^31-1 ms, and Connect does not look; a deadline as far away as that is none. */
const maxTimeoutMs = 2 ** 31 - 1;

function setStreamHeaders(header: Headers, codec: Codec, { encoding, timeoutMs }: StreamBody): void {
  const isConnect = codec.protocol === "connect";
  if (encoding !== undefined) header.set(isConnect ? "connect-content-encoding" : "grpc-encoding", encoding);
  if (timeoutMs === undefined || timeoutMs > maxTimeoutMs) return;
  const wholeMs = Math.ceil(timeoutMs);
  if (isConnect) header.set("connect-timeout-ms", String(wholeMs));
  else header.set("grpc-timeout", wholeMs < 1e8 ? `${wholeMs}m` : `${Math.ceil(wholeMs / 1000)}S`);
}

async function* emptyMessage({ binary, enveloped }: Codec): AsyncGenerator<Uint8Array> {
  const json = binary ? "" : "{}";
  yield Buffer.from(enveloped ? `\0\0\0\0${String.fromCharCode(json.length)}${json}` : json);
}

function webHeaders(request: HttpRequest): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (value === undefined || name.startsWith(":")) continue;
    try {
      headers.set(name, Array.isArray(value) ? value.join(", ") : value);
    } catch {
      // HTTP/2 lets bytes through that Headers refuses. Nothing that is read from these copies can be among them.
    }
  }
  return headers;
}
