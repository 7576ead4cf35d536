import type { Interceptor } from "../../call/call.ts";
import { invalidRequest } from "../../error/failure.ts";
import type { Validation } from "../../validation/violations.ts";

/** Refuses requests that break the `buf.validate` rules of the contract. */
export function validate({ violationsOf, prepare }: Validation): Interceptor {
  return (next) => {
    const validated: typeof next = (request, call) => {
      const violations = violationsOf(call.method.input, request);
      if (violations.length === 0) return next(request, call);
      throw invalidRequest(violations);
    };
    return (request, call) => prepare(call.method.input, request)?.then(() => validated(request, call)) ?? validated(request, call);
  };
}
