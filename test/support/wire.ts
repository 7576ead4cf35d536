import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { ClientHttp2Stream } from "node:http2";

/** One HTTP request that left this process, and the start of its response. */
export interface Exchange {
  readonly httpVersion: string;
  readonly httpMethod: string;
  readonly path: string;
  readonly requestContentType: string | undefined;
  readonly responseContentType: string | undefined;
}

interface FetchRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: string | readonly string[];
}

/**
 * Returns what was really sent while `action` ran, from the diagnostics channels of Node's own HTTP clients, so that no library has to be
 * trusted. Nothing else may run at the same time. Node's fetch supports only HTTP/1.1.
 */
export async function observeWire<T>(action: () => Promise<T>): Promise<{ result: T; exchanges: readonly Exchange[] }> {
  const exchanges: Exchange[] = [];
  const listeners: Record<string, (message: unknown) => void> = {
    "http.client.response.finish"(message) {
      const { request, response } = message as { request: ClientRequest; response: IncomingMessage };
      exchanges.push({
        httpVersion: response.httpVersion,
        httpMethod: request.method,
        path: request.path,
        requestContentType: request.getHeader("content-type") as string | undefined,
        responseContentType: response.headers["content-type"],
      });
    },
    "http2.client.stream.finish"(message) {
      const { stream, headers } = message as { stream: ClientHttp2Stream; headers: IncomingHttpHeaders };
      const sent = stream.sentHeaders ?? {};
      exchanges.push({
        httpVersion: "2",
        httpMethod: String(sent[":method"]),
        path: String(sent[":path"]),
        requestContentType: sent["content-type"] as string | undefined,
        responseContentType: headers["content-type"],
      });
    },
    "undici:request:headers"(message) {
      const { request, response } = message as { request: FetchRequest; response: { headers: readonly Buffer[] } };
      exchanges.push({
        httpVersion: "1.1",
        httpMethod: request.method,
        path: request.path,
        requestContentType: headerIn(request.headers),
        responseContentType: headerIn(response.headers.map(String)),
      });
    },
  };
  for (const [channel, listener] of Object.entries(listeners)) subscribe(channel, listener);
  try {
    return { result: await action(), exchanges };
  } finally {
    for (const [channel, listener] of Object.entries(listeners)) unsubscribe(channel, listener);
  }
}

/** Finds `content-type` in undici's lists of alternating names and values. */
function headerIn(list: string | readonly string[]): string | undefined {
  const index = Array.isArray(list) ? list.findIndex((name, at) => at % 2 === 0 && name.toLowerCase() === "content-type") : -1;
  return index < 0 ? undefined : list[index + 1];
}
