import { Failure, type FieldViolation } from "../error/failure.ts";
import { maxDepth } from "./fields.ts";

const maxShown = 5;

/** A 400 about several fields; the text names the first few. */
export function invalidFields(violations: readonly FieldViolation[]): Failure {
  const shown = violations.slice(0, maxShown).map((v) => `${v.field === "" ? "the request" : `${v.field}:`} ${v.description}`);
  if (violations.length > maxShown) shown.push(`and ${violations.length - maxShown} more`);
  return new Failure("INVALID_REQUEST", { message: shown.join("; "), violations });
}

/** A request whose nesting is not even read. */
export function nestedTooDeep(): Failure {
  return invalidFields([{ field: "", description: `must not be nested more than ${maxDepth} levels deep` }]);
}
