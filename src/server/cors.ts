import type { HttpRequest, HttpResponse } from "../http/message.ts";

/** Adds the CORS headers to a response. Returns true if the request was a preflight, which it also answers. */
export type Cors = (request: HttpRequest, response: HttpResponse) => boolean;

/** The same as `cors` of @connectrpc/connect, which would load all of Connect at the start. A test compares them. */
export const connectCors = {
  allowedMethods: ["POST", "GET"],
  allowedHeaders: [
    "Content-Type",
    "Connect-Protocol-Version",
    "Connect-Timeout-Ms",
    "Connect-Content-Encoding",
    "Connect-Accept-Encoding",
    "Content-Encoding",
    "Accept-Encoding",
    "Grpc-Message-Type",
    "X-Grpc-Web",
    "X-User-Agent",
    "Grpc-Timeout",
  ],
  exposedHeaders: ["Grpc-Status", "Grpc-Message", "Grpc-Status-Details-Bin", "Content-Encoding", "Connect-Content-Encoding"],
} as const;

const allowedMethods = [...new Set([...connectCors.allowedMethods, "HEAD", "PATCH", "DELETE"])].join(", ");
const allowedHeaders = [
  ...connectCors.allowedHeaders,
  "Authorization",
  "X-Request-Id",
  "Cache-Control",
  "Pragma",
  "Keywright-Tenant",
  "Traceparent",
].join(", ");
const exposedHeaders = [
  ...connectCors.exposedHeaders,
  "Location",
  "Retry-After",
  "RateLimit",
  "RateLimit-Policy",
  "Cache-Status",
  "X-Request-Id",
  "WWW-Authenticate",
  "Allow",
].join(", ");
/** Two hours, the maximum for which browsers cache the response of a preflight. */
const maxAgeSeconds = "7200";

/**
 * CORS for browsers on the given origins (exact, as in the Origin header), or on all origins with "*"; undefined if none are given.
 * Credentials are never allowed: callers authenticate with an explicit header, so a page cannot use what the browser stores.
 */
export function createCors(origins: readonly string[]): Cors | undefined {
  if (origins.length === 0) return undefined;
  const allowsAll = origins.includes("*");
  const allowed = new Set(origins);

  return (request, response) => {
    // Also for requests without an Origin: a shared cache must not give such a response to a page.
    response.setHeader("vary", "origin");
    const origin = request.headers.origin;
    if (typeof origin !== "string") return false;
    const isPreflight = request.method === "OPTIONS" && request.headers["access-control-request-method"] !== undefined;
    if (allowsAll || allowed.has(origin)) {
      response.setHeader("access-control-allow-origin", allowsAll ? "*" : origin);
      if (isPreflight) {
        response.setHeader("access-control-allow-methods", allowedMethods);
        response.setHeader("access-control-allow-headers", allowedHeaders);
        response.setHeader("access-control-max-age", maxAgeSeconds);
      } else {
        response.setHeader("access-control-expose-headers", exposedHeaders);
      }
    }
    if (!isPreflight) return false;
    response.statusCode = 204;
    response.end();
    request.resume();
    return true;
  };
}
