import type { HttpHandler } from "../http/message.ts";
import { targetOf } from "../http/target.ts";
import { bind } from "./bind.ts";
import { answerFor, sendError } from "./error-answer.ts";
import { defaultLimits, type ListenerLimits } from "./limits.ts";
import { authorityOf, createListener } from "./listener.ts";

/** The text of a scrape, made on request. */
export interface Scrapes {
  readonly contentType: string;
  scrape(): string | Promise<string>;
}

export interface MetricsServer {
  /** Returns the URL of the metrics. */
  listen(address: { readonly host: string; readonly port: number }): Promise<string>;
  close(): Promise<void>;
}

/**
 * Enough for a few scrapers that each ask every few seconds. Half of the places are reserved for addresses with at most one connection or
 * request.
 */
const limits: ListenerLimits = {
  ...defaultLimits,
  maxConnections: 64,
  maxConnectionsPerAddress: 16,
  reservedConnections: 32,
  reservedRequests: 8,
  reservedPerAddress: 2,
  maxStreamsPerSession: 4,
  maxAnonymousRequests: 16,
  maxAnonymousRequestsPerAddress: 8,
};
/** Longer than any scrape takes. */
const drainMs = 500;

/**
 * A separate port for metrics, so that callers of the API cannot read them and readers of metrics cannot call the API. No authentication.
 */
export function createMetricsServer(scrapes: Scrapes, onError: (error: unknown) => void): MetricsServer {
  const listener = createListener({ handler: createMetricsHttp(scrapes, onError), limits, onError });
  return {
    async listen(address) {
      const bound = await bind(listener, address, { host: "KEYWRIGHT_METRICS_HOST", port: "KEYWRIGHT_METRICS_PORT" });
      return `http://${authorityOf(bound)}/metrics`;
    },
    close: () => listener.drain(drainMs),
  };
}

/** Answers GET and HEAD of `/metrics`, and nothing else. */
function createMetricsHttp(scrapes: Scrapes, onError: (error: unknown) => void): HttpHandler {
  return (request, response) => {
    if (targetOf(request).path !== "/metrics") {
      sendError(response, answerFor("ROUTE_NOT_FOUND"));
      return;
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      sendError(response, answerFor("METHOD_NOT_ALLOWED"), { allow: "GET, HEAD" });
      return;
    }
    const send = (body: string) => {
      response.setHeader("content-type", scrapes.contentType);
      response.setHeader("content-length", String(Buffer.byteLength(body)));
      response.setHeader("cache-control", "no-store");
      response.end(body);
    };
    const text = scrapes.scrape();
    if (typeof text === "string") return send(text);
    text.then(send).catch((error: unknown) => {
      onError(error);
      response.destroy();
    });
  };
}
