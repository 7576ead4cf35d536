import { pathToString } from "@bufbuild/protobuf/reflect";
import type { Validator } from "@bufbuild/protovalidate";
import type { Interceptor } from "../../call/call.ts";
import { Failure } from "../../error/failure.ts";

/** Holds requests against the `buf.validate` rules of the contract; names every field at fault, and no value. */
export function validate(validator: Validator): Interceptor {
  return (next) => (request, call) => {
    const result = validator.validate(call.method.input, request);
    if (result.kind === "valid") return next(request, call);
    if (result.kind === "error") throw result.error;
    const violations = result.violations.map(({ field, message }) => ({ field: pathToString(field), description: message }));
    throw new Failure("INVALID_REQUEST", { message: violations.map((v) => `${v.field}: ${v.description}`).join("; "), violations });
  };
}
