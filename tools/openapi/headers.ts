import { extensionMark, type Json } from "./json-schema.ts";

/** The methods that use the verifier cache. Their callers may bypass it, and learn how it was used and what is left of the rate limit. */
const verifications = new Set(["AdminVerifyApiKey", "AdminBatchVerifyApiKeys"]);

/** References to the headers of requests. Callers act for a tenant, except in methods about all of them. */
export function requestHeaders(method: string, isOfTenant: boolean): readonly Json[] {
  const names = [...(verifications.has(method) ? ["CacheControl", "Pragma"] : []), ...(isOfTenant ? ["KeywrightTenant"] : [])];
  return names.map((name) => ({ $ref: `#/components/parameters/${name}` }));
}

/** References to the headers of a success. */
export function responseHeaders(method: string, hasLocation: boolean): Json {
  const ofLimit = method === "AdminVerifyApiKey" ? ["RateLimit", "RateLimit-Policy", "Retry-After"] : [];
  const names = ["X-Request-Id", ...(hasLocation ? ["Location"] : []), ...(verifications.has(method) ? ["Cache-Status"] : []), ...ofLimit];
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

const text = { type: "string" };

/** As docs/http-and-errors.md describes them. */
export const headerComponents: Json = {
  "X-Request-Id": { description: "Id of the call, in every log line and error of it. Taken from the request if it has one.", schema: text },
  Location: { description: "Path of what was created.", schema: { type: "string", format: "uri-reference" } },
  "Cache-Status": { description: "What the verifier cache did (RFC 9211). Absent if no look-up was needed.", schema: text },
  RateLimit: { description: "What is left of the key's rate limit. Absent if it has none.", schema: text },
  "RateLimit-Policy": { description: "The key's rate limit. Absent if it has none.", schema: text },
  "Retry-After": { description: "Seconds until it is worth trying again. Absent if that is unknown.", schema: text },
  "WWW-Authenticate": { description: "Why the caller was refused (RFC 6750).", schema: text },
};

export const parameterComponents: Json = {
  CacheControl: {
    name: "Cache-Control",
    in: "header",
    description:
      "`no-cache` asks the store instead of the verifier cache. `no-store` also leaves the cache as it is. Other directives are ignored.",
    schema: text,
  },
  KeywrightTenant: {
    name: "Keywright-Tenant",
    in: "header",
    description: "The tenant to act for. Absent: the caller's own, else the one that has the host of the call, else `default`.",
    [extensionMark]: true,
    schema: text,
  },
  Pragma: { name: "Pragma", in: "header", description: "`no-cache` is the same as `Cache-Control: no-cache`.", schema: text },
};
