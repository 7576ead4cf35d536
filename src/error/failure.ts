import { errorTable, type Reason } from "./table.ts";

/** One field of the request, and what is wrong with it. `field` is a path of proto names, such as `requests[2].name`. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

/** A further detail of google.rpc.Status: the type name and the protobuf bytes of a message. Never contains a secret. */
export interface FailureDetail {
  readonly typeName: string;
  readonly value: Uint8Array;
}

/** An exhausted quota, for google.rpc.QuotaFailure. */
export interface QuotaViolation {
  /** Whose quota it is, such as `tenant:default`. */
  readonly subject: string;
  /** The name of the setting that limits it, without its prefix: `max_keys`. */
  readonly quotaId: string;
  readonly limit: number;
  readonly used: number;
}

export interface FailureOptions {
  /** The public text. Default: the text of the table. Never contains a secret or a value of the request. */
  readonly message?: string;
  readonly violations?: readonly FieldViolation[];
  readonly quota?: QuotaViolation;
  /** At most 3 KiB together, because gRPC sends them in trailers. */
  readonly details?: readonly FailureDetail[];
  /** Only for the log. */
  readonly cause?: unknown;
}

/**
 * An error for the caller. Any other error that is thrown is a fault of this service: it is logged, and the caller gets INTERNAL. A Failure
 * has no stack trace: refused requests are common, and capturing a trace costs many times as much as the error (bench/micro.ts).
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

/** A Failure INVALID_REQUEST about one field, such as `name: must not be empty`. */
export function invalidField(field: string, description: string): Failure {
  return invalidRequest([{ field, description }]);
}

const maxShown = 5;

/** A Failure INVALID_REQUEST about several fields. Its message names the first few. */
export function invalidRequest(violations: readonly FieldViolation[]): Failure {
  const text = violationsText(violations.slice(0, maxShown));
  const left = violations.length - maxShown;
  return new Failure("INVALID_REQUEST", { message: left > 0 ? `${text}; and ${left} more` : text, violations });
}

/** Formats violations as `field: problem; ...`. */
export function violationsText(violations: readonly FieldViolation[]): string {
  return violations.map(({ field, description }) => `${field === "" ? "the request" : `${field}:`} ${description}`).join("; ");
}
