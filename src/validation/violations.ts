import { create, type DescMessage, type Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import type { FieldViolation } from "../error/failure.ts";
import { compileLongLists, type FindLongLists } from "./long-lists.ts";
import { createPatternMatcher } from "./patterns.ts";
import { compileQuickCheck, type QuickCheck } from "./quick-check.ts";
import { compileTimestampCheck, type FindBadTimestamps } from "./timestamps.ts";

/** Every field of a message that breaks its `buf.validate` rules. Values are never repeated in the text. */
export type ViolationsOf = (schema: DescMessage, message: Message) => readonly FieldViolation[];

interface Checks {
  readonly isSurelyValid: QuickCheck;
  readonly findLongLists: FindLongLists;
  readonly findBadTimestamps: FindBadTimestamps;
}

const none: readonly FieldViolation[] = [];

/** `requests` are compiled now, because the first validation of a message takes some milliseconds. */
export function createViolationsOf(requests: readonly DescMessage[]): ViolationsOf {
  const validator = createValidator({ regexMatch: createPatternMatcher() });
  const compiled = new Map<DescMessage, Checks>();
  for (const schema of requests) {
    compiled.set(schema, compileChecks(schema));
    validator.validate(schema, create(schema));
  }
  return (schema, message) => {
    let checks = compiled.get(schema);
    if (checks === undefined) {
      checks = compileChecks(schema);
      compiled.set(schema, checks);
    }
    if (checks.isSurelyValid(message)) return none;
    const longLists = checks.findLongLists(message);
    if (longLists.length > 0) return longLists;
    const badTimestamps = checks.findBadTimestamps(message);
    if (badTimestamps.length > 0) return badTimestamps;
    const result = validator.validate(schema, message);
    if (result.kind === "valid") return none;
    if (result.kind === "error") throw result.error;
    return result.violations.map(({ field, message: description }) => ({ field: pathToString(field), description }));
  };
}

function compileChecks(schema: DescMessage): Checks {
  return {
    isSurelyValid: compileQuickCheck(schema),
    findLongLists: compileLongLists(schema),
    findBadTimestamps: compileTimestampCheck(schema),
  };
}

/** Formats violations as `field: problem; ...`. */
export function violationsText(violations: readonly FieldViolation[]): string {
  return violations.map(({ field, description }) => `${field}: ${description}`).join("; ");
}
