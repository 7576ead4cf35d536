import { errorTable, type Reason } from "./table.ts";

/** One field of the request and what is wrong with it. `field` is a path in proto names: `requests[2].name`. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

/** One more detail of google.rpc.Status: a message by the name of its type, in protobuf. Never holds a secret either. */
export interface FailureDetail {
  readonly typeName: string;
  readonly value: Uint8Array;
}

/** A quota that leaves no room, for google.rpc.QuotaFailure. */
export interface QuotaViolation {
  /** Whose quota: `tenant:default`. */
  readonly subject: string;
  /** What is limited, by the name of the setting without its prefix: `max_keys`. */
  readonly quotaId: string;
  readonly limit: number;
  readonly used: number;
}

export interface FailureOptions {
  /** Public text; the table's text where absent. Never holds a secret or a value of the request. */
  readonly message?: string;
  readonly violations?: readonly FieldViolation[];
  readonly quota?: QuotaViolation;
  /** All of them together at most 3 KiB, for the sake of gRPC's trailers. */
  readonly details?: readonly FailureDetail[];
  /** For the log only. */
  readonly cause?: unknown;
}

/**
 * An error that is meant for the caller. Anything else that is thrown is our own fault, is logged and leaves as INTERNAL.
 * It carries no stack: a refused request is an everyday answer, and a stack would cost many times as much as the error (bench/micro.ts).
 */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly reason: Reason;
  readonly violations: readonly FieldViolation[];
  readonly quota: QuotaViolation | null;
  readonly details: readonly FailureDetail[];

  constructor(reason: Reason, options: FailureOptions = {}) {
    const stackTraceLimit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(options.message ?? errorTable[reason].text, options.cause === undefined ? undefined : { cause: options.cause });
    Error.stackTraceLimit = stackTraceLimit;
    this.reason = reason;
    this.violations = options.violations ?? [];
    this.quota = options.quota ?? null;
    this.details = options.details ?? [];
  }
}

/** A 400 about one field: `name: must not be empty`. */
export function invalidField(field: string, description: string): Failure {
  return new Failure("INVALID_REQUEST", { message: `${field}: ${description}`, violations: [{ field, description }] });
}
