import type { Writable } from "node:stream";
import { createContextValues } from "@connectrpc/connect";
import type { UniversalServerRequest } from "@connectrpc/connect/protocol";
import type { HttpRequest } from "../../http/message.ts";
import type { Codec } from "../codec.ts";
import { exchangeKey, type StreamExchange } from "./stream-exchange.ts";

/** The URL of a stream, and the properties of its body, from the headers. */
interface StreamHead {
  readonly path: string;
  readonly encoding: string | undefined;
  readonly timeoutMs: number | undefined;
}

/**
 * Makes the request for Connect's handlers, without its body. Not made by connect-node, which throws on a Host header that is
 * not a host. Headers that were already checked here are replaced.
 */
export function universalRequest(
  request: HttpRequest,
  codec: Codec,
  exchange: StreamExchange,
  sink: Writable,
  head: StreamHead,
): Omit<UniversalServerRequest, "body"> {
  const header = webHeaders(request);
  header.set("content-type", codec.text ? "application/grpc-web+proto" : codec.contentType);
  for (const name of protocolHeaders) header.delete(name);
  for (const name of ["accept-encoding", "connect-accept-encoding", "grpc-accept-encoding"]) header.set(name, "identity");
  setStreamHeaders(header, codec, head);
  const controller = new AbortController();
  sink.once("close", () => controller.abort());
  return {
    httpVersion: request.httpVersion,
    method: "POST",
    url: `http://localhost${head.path}`,
    header,
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

/** Node's setTimeout fires immediately beyond 2^31-1 ms, and Connect does not check. A later deadline counts as no deadline. */
const maxTimeoutMs = 2 ** 31 - 1;

function setStreamHeaders(header: Headers, codec: Codec, { encoding, timeoutMs }: StreamHead): void {
  const isConnect = codec.protocol === "connect";
  if (encoding !== undefined) header.set(isConnect ? "connect-content-encoding" : "grpc-encoding", encoding);
  if (timeoutMs === undefined || timeoutMs > maxTimeoutMs) return;
  const wholeMs = Math.ceil(timeoutMs);
  if (isConnect) header.set("connect-timeout-ms", String(wholeMs));
  else header.set("grpc-timeout", wholeMs < 1e8 ? `${wholeMs}m` : `${Math.ceil(wholeMs / 1000)}S`);
}

function webHeaders(request: HttpRequest): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (value === undefined || name.startsWith(":")) continue;
    try {
      headers.set(name, Array.isArray(value) ? value.join(", ") : value);
    } catch {
      // HTTP/2 allows bytes that Headers refuses. No header that is read from these copies can contain such bytes.
    }
  }
  return headers;
}
