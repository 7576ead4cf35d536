import { errorTable, type Reason } from "./table.ts";

/** One field of the request and what is wrong with it. `field` is a path in proto names: `requests[2].name`. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

export interface FailureOptions {
  /** Public text; the table's text where absent. Never holds a secret or a value of the request. */
  readonly message?: string;
  readonly violations?: readonly FieldViolation[];
  /** For the log only. */
  readonly cause?: unknown;
}

/**
 * An error that is meant for the caller. Anything else that is thrown is our own fault, is logged and leaves as INTERNAL.
 * It carries no stack: a refused request is an everyday answer, and capturing one costs more than the rest of the refusal.
 */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly reason: Reason;
  readonly violations: readonly FieldViolation[];

  constructor(reason: Reason, options: FailureOptions = {}) {
    const stackTraceLimit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(options.message ?? errorTable[reason].text, options.cause === undefined ? undefined : { cause: options.cause });
    Error.stackTraceLimit = stackTraceLimit;
    this.reason = reason;
    this.violations = options.violations ?? [];
  }
}

/** A 400 about one field: `name: must not be empty`. */
export function invalidField(field: string, description: string): Failure {
  return new Failure("INVALID_REQUEST", { message: `${field}: ${description}`, violations: [{ field, description }] });
}
