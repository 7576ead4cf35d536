import type { DescMessage, Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import type { FieldViolation } from "../error/failure.ts";
import { createPatternMatcher } from "./patterns.ts";

/** Every field of a message that breaks its `buf.validate` rules. The first use for a schema compiles its rules. */
export type Validate = (schema: DescMessage, message: Message) => readonly FieldViolation[];

/** The validator of protovalidate. Loaded on demand, because its languages (CEL, RE2) are a sixth of a start (bench/start.ts). */
export function createFullValidator(): Validate {
  const validator = createValidator({ regexMatch: createPatternMatcher() });
  return (schema, message) => {
    const result = validator.validate(schema, message);
    if (result.kind === "error") throw result.error;
    if (result.kind === "valid") return [];
    return result.violations.map(({ field, message: text }) => ({ field: pathToString(field), description: inEnglish(text) }));
  };
}

/** protovalidate writes "must be at least 1 characters". */
function inEnglish(text: string): string {
  return text === "must be at least 1 characters" ? "must not be empty" : text;
}
