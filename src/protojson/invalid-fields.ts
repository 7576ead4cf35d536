import { Failure, type FieldViolation } from "../error/failure.ts";
import { nestingProblem } from "./fields.ts";

const maxShown = 5;

/** A 400 about several fields. The text names the first few. */
export function invalidFields(violations: readonly FieldViolation[]): Failure {
  const shown = violations.slice(0, maxShown).map((v) => `${v.field === "" ? "the request" : `${v.field}:`} ${v.description}`);
  if (violations.length > maxShown) shown.push(`and ${violations.length - maxShown} more`);
  return new Failure("INVALID_REQUEST", { message: shown.join("; "), violations });
}

/** A 400 for a request that is nested too deeply to be read. */
export function nestedTooDeep(): Failure {
  return invalidFields([{ field: "", description: nestingProblem }]);
}
