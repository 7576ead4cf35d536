import { AsyncLocalStorage } from "node:async_hooks";
import type { IncomingHttpHeaders } from "node:http";
import { create, type Message } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { parseConnectTimeout, parseGrpcTimeout } from "../../src/connect/timeout.ts";
import type { HttpHandler, StreamHandler } from "../../src/http/message.ts";
import { targetOf } from "../../src/http/target.ts";
import type { HeaderLine, Suite } from "./messages.ts";

/** Facts about a request that the suite asks for and methods do not see: all headers, the deadline, the query. */
interface Seen {
  readonly headers: IncomingHttpHeaders;
  readonly query: URLSearchParams | undefined;
}

const current = new AsyncLocalStorage<Seen>();

export function noteRequests(handler: HttpHandler): HttpHandler {
  return (request, response) => {
    const { query: text } = targetOf(request);
    const query = text === "" ? undefined : new URLSearchParams(text);
    current.run({ headers: request.headers, query }, handler, request, response);
  };
}

export function noteStreams(handler: StreamHandler): StreamHandler {
  return (stream, headers, rawHeaders) => current.run({ headers, query: undefined }, handler, stream, headers, rawHeaders);
}

/** Returns the suite's RequestInfo of the current request. */
export function requestInfo(suite: Suite, requests: readonly Message[]): Message {
  const { headers, query } = current.getStore() as Seen;
  const queryParams = query && [...query].map(([name, value]): HeaderLine => ({ name, value: [value] }));
  return create(suite.message("ConformancePayload.RequestInfo"), {
    requestHeaders: Object.entries(headers).flatMap(headerLine),
    timeoutMs: timeoutMs(headers),
    requests: requests.map((request) => anyPack(descOf(suite, request), request)),
    connectGetInfo: queryParams && { queryParams },
  });
}

function headerLine([name, value]: [string, string | string[] | undefined]): HeaderLine[] {
  if (name.startsWith(":") || value === undefined) return [];
  return [{ name, value: [value].flat() }];
}

function timeoutMs(headers: IncomingHttpHeaders): bigint | undefined {
  const connect = parseConnectTimeout(headers["connect-timeout-ms"] as string | undefined);
  const timeout = connect ?? parseGrpcTimeout(headers["grpc-timeout"] as string | undefined);
  return timeout === undefined ? undefined : BigInt(Math.floor(timeout));
}

function descOf(suite: Suite, message: Message) {
  return suite.message(message.$typeName.slice(message.$typeName.lastIndexOf(".") + 1));
}
