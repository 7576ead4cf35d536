import type { DescMethodUnary, Message } from "@bufbuild/protobuf";
import type { Failure } from "../error/failure.ts";

/** The wire protocol of a call. */
export type Protocol = "json-http" | "connect" | "grpc" | "grpc-web";

/** Roles for tenants. */
export interface Grant {
  readonly roles: readonly string[];
  /** Tenants for which the caller may act; "*": all. */
  readonly tenants: "*" | readonly string[];
  /** Scopes that the caller may grant to keys and tokens. Null: all. */
  readonly scopeCeiling: readonly string[] | null;
}

/** The authenticated caller and its permissions. Once a call is admitted, these are the ones for its method and its tenant. */
export interface Caller extends Grant {
  /** Name of the token, subject of the JWT or name in the certificate; safe to log. */
  readonly name: string;
  /**
   * Set if there are several grants. The roles of one apply neither to the tenants nor within the ceiling of another. The other members
   * then describe all grants together.
   */
  readonly grants?: readonly Grant[];
}

/** Observes one call, for the log, metrics or a trace. */
export interface CallObservation {
  /** Ends the call: its response is encoded (null), or `failure` is its response. Only the first call of `end` counts. */
  end(failure: Failure | null): void;
}

/** One unary call, the same on every protocol. */
export interface Call {
  readonly method: DescMethodUnary;
  readonly protocol: Protocol;
  /** From the caller's X-Request-Id, or created here. It is in every log line and error of the call. */
  readonly requestId: string;
  /** The client's IP address in its canonical form; empty if it is unknown: the connection is gone, or a trusted proxy sent no address. */
  readonly clientAddress: string;
  /** The address that guesses are counted by: the client's, or the peer's if that is unknown. */
  readonly guessAddress: string;
  /** Identifies the client's connection; the same for all its calls. Undefined if it is closed. */
  readonly connection: object | undefined;
  /** Aborts when the caller disconnects or its deadline passes. */
  readonly signal: AbortSignal;
  /** Calls the listener once the client has read the response or is gone; at once if it is gone already. */
  onClose(listener: () => void): void;
  /** A request header by its lower-case name; several lines joined by ", ". */
  requestHeader(name: string): string | undefined;
  /** Sets a response header (leading metadata), also on errors. */
  setResponseHeader(name: string, value: string): void;
  /** Sets a response trailer (trailing metadata), also on errors. JSON/HTTP has no trailers and omits it. */
  setResponseTrailer(name: string, value: string): void;
  /** Set by the interceptor that authenticates; undefined before, and for anonymous callers. */
  caller: Caller | undefined;
  /** The host in the request, in lower case and without a port. Empty if there is none. */
  readonly host: string;
  /** The tenant of the call; set by the admission. Undefined: `default`. */
  tenant: string | undefined;
  /** True if `host` determined the tenant. */
  isTenantOfHost: boolean;
  /** Set before the admission if calls are observed. The code that runs the call ends it. */
  observation: CallObservation | undefined;
}

/**
 * Runs one call. Throws, or rejects with, a Failure for errors that the caller may see. Returns a promise only if the response has to wait.
 */
export type Handler = (request: Message, call: Call) => Message | Promise<Message>;

/**
 * Decides from the headers alone whether a call may continue, before its body is read (AIP-211: authorise first). Throws a Failure if it
 * may not. Returns a promise, which rejects instead, only if the caller is not known at once.
 */
export type Admission = (call: Call) => void | Promise<void>;

/** Wraps a handler; the first of a list is the outermost. */
export type Interceptor = (next: Handler) => Handler;
