/**
 * Every error that this service sends. `code` is the canonical RPC code (google.rpc.Code). `httpStatus` is the status over JSON/HTTP: that
 * of the canonical mapping, unless HTTP has a more specific one. `text` is the public message if the code that throws has none. Every
 * protocol sends the reason in google.rpc.ErrorInfo (AIP-193). docs/http-and-errors.md lists the same table; a test compares the two.
 */
export const errorTable = {
  INVALID_REQUEST: { code: "INVALID_ARGUMENT", httpStatus: 400, text: "the request is invalid" },
  MALFORMED_BODY: { code: "INVALID_ARGUMENT", httpStatus: 400, text: "the request body cannot be read" },
  UNSUPPORTED_MEDIA_TYPE: { code: "INVALID_ARGUMENT", httpStatus: 415, text: "the request body must be application/json" },
  UNDECLARED_COMPRESSION: {
    code: "INVALID_ARGUMENT",
    httpStatus: 400,
    text: "the message is compressed, but the request names no encoding",
  },
  BODY_TOO_LARGE: { code: "RESOURCE_EXHAUSTED", httpStatus: 413, text: "the request body is too large" },
  ROUTE_NOT_FOUND: { code: "NOT_FOUND", httpStatus: 404, text: "no method found at this path" },
  METHOD_NOT_ALLOWED: { code: "UNIMPLEMENTED", httpStatus: 405, text: "HTTP method not allowed at this path" },
  UNAUTHENTICATED: { code: "UNAUTHENTICATED", httpStatus: 401, text: "a valid bearer token is required" },
  ISSUER_UNAVAILABLE: {
    code: "UNAVAILABLE",
    httpStatus: 503,
    text: "the keys of the token's issuer could not be fetched; try again later",
  },
  PERMISSION_DENIED: { code: "PERMISSION_DENIED", httpStatus: 403, text: "the caller's roles do not allow this method" },
  KEY_NOT_FOUND: { code: "NOT_FOUND", httpStatus: 404, text: "no key found" },
  KEY_ALREADY_EXISTS: { code: "ALREADY_EXISTS", httpStatus: 409, text: "the key already exists" },
  REQUEST_ID_REUSED: { code: "ALREADY_EXISTS", httpStatus: 409, text: "request_id was already used with a different payload" },
  KEY_NOT_ACTIVE: { code: "FAILED_PRECONDITION", httpStatus: 400, text: "the key is not active" },
  CONCURRENT_CHANGE: { code: "ABORTED", httpStatus: 409, text: "another call changed the key at the same time; try again" },
  PUBLIC_KEY_NOT_PROOF: {
    code: "PERMISSION_DENIED",
    httpStatus: 403,
    text: "a public key does not prove possession; only an administrator can revoke it",
  },
  TENANT_DENIED: { code: "PERMISSION_DENIED", httpStatus: 403, text: "the caller may not act for this tenant" },
  TENANT_NOT_FOUND: { code: "NOT_FOUND", httpStatus: 404, text: "no tenant found" },
  TENANT_ALREADY_EXISTS: { code: "ALREADY_EXISTS", httpStatus: 409, text: "the tenant already exists" },
  TENANT_SUSPENDED: { code: "FAILED_PRECONDITION", httpStatus: 400, text: "the tenant is suspended" },
  TENANT_NOT_READY: { code: "FAILED_PRECONDITION", httpStatus: 400, text: "the tenant is not in a state that allows this" },
  CREDENTIAL_MISSING: { code: "UNAUTHENTICATED", httpStatus: 401, text: "an API key is required" },
  CREDENTIAL_INVALID: { code: "UNAUTHENTICATED", httpStatus: 401, text: "the credential is not valid" },
  SCOPE_MISSING: { code: "PERMISSION_DENIED", httpStatus: 403, text: "a required scope is missing" },
  ADDRESS_NOT_ALLOWED: { code: "PERMISSION_DENIED", httpStatus: 403, text: "the client's address is not allowed" },
  ACTOR_LIMIT_NOT_FOUND: { code: "NOT_FOUND", httpStatus: 404, text: "the actor has no limit of its own" },
  RATE_LIMITED: { code: "RESOURCE_EXHAUSTED", httpStatus: 429, text: "the key's rate limit is exhausted" },
  TOO_MANY_CALLS: { code: "RESOURCE_EXHAUSTED", httpStatus: 429, text: "too many calls from this address; try again later" },
  TOO_MANY_BODIES: {
    code: "RESOURCE_EXHAUSTED",
    httpStatus: 429,
    text: "calls in progress hold too many bytes of request bodies; try again later",
  },
  TOO_MANY_STREAMS: { code: "RESOURCE_EXHAUSTED", httpStatus: 429, text: "too many streams are open; try again later" },
  STREAM_EXPIRED: { code: "UNAVAILABLE", httpStatus: 503, text: "the stream reached its maximum age; open it again" },
  KEY_QUOTA_EXHAUSTED: { code: "RESOURCE_EXHAUSTED", httpStatus: 429, text: "key quota exhausted" },
  CANCELLED: { code: "CANCELLED", httpStatus: 499, text: "the client canceled the call or disconnected" },
  DEADLINE_EXCEEDED: { code: "DEADLINE_EXCEEDED", httpStatus: 504, text: "deadline exceeded before the response was ready" },
  UNIMPLEMENTED: { code: "UNIMPLEMENTED", httpStatus: 501, text: "this method is not implemented" },
  STORE_UNAVAILABLE: { code: "UNAVAILABLE", httpStatus: 503, text: "the store is unavailable" },
  SHUTTING_DOWN: { code: "UNAVAILABLE", httpStatus: 503, text: "the server is shutting down" },
  INTERNAL: { code: "INTERNAL", httpStatus: 500, text: "internal error" },
} as const satisfies Record<string, { code: CodeName; httpStatus: number; text: string }>;

export type Reason = keyof typeof errorTable;

const wireCodes: Partial<Record<Reason, CodeName>> = { UNDECLARED_COMPRESSION: "INTERNAL" };

/**
 * The code that callers get. It differs from the table's where the specifications of gRPC and Connect require a code that would blame the
 * service. Logs and metrics use the table's.
 */
export function wireCodeOf(reason: Reason): CodeName {
  return wireCodes[reason] ?? errorTable[reason].code;
}

const notOurs: ReadonlySet<Reason> = new Set(["UNIMPLEMENTED", "DEADLINE_EXCEEDED", "SHUTTING_DOWN", "ISSUER_UNAVAILABLE"]);

/** Returns whether an error is the service's own fault: a 5xx that the caller did not ask for. Such errors are logged with their cause. */
export function isServerFault(reason: Reason): boolean {
  return errorTable[reason].httpStatus >= 500 && !notOurs.has(reason);
}

/** The codes of google.rpc.Code that this service uses, with their numbers on the wire. */
export const codeNumbers = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

export type CodeName = keyof typeof codeNumbers;
