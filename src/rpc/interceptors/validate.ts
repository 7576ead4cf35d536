import type { Interceptor } from "../../call/call.ts";
import { Failure } from "../../error/failure.ts";
import { type ViolationsOf, violationsText } from "../../validation/violations.ts";

/** Refuses requests that break the `buf.validate` rules of the contract. */
export function validate(violationsOf: ViolationsOf): Interceptor {
  return (next) => (request, call) => {
    const violations = violationsOf(call.method.input, request);
    if (violations.length === 0) return next(request, call);
    throw new Failure("INVALID_REQUEST", { message: violationsText(violations), violations });
  };
}
