import { type DescMessage, getOption, type Message } from "@bufbuild/protobuf";
import { type Path, pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import { field as fieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
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
    return result.violations.map(({ field, ruleId, message: text }) => ({
      field: pathToString(field),
      description: ruleId.startsWith("enum.") ? enumProblem(field) : inEnglish(text),
    }));
  };
}

/** protovalidate names enum values by their numbers. */
function enumProblem(path: Path): string {
  const field = path.findLast((part) => part.kind === "field");
  if (field?.enum === undefined) return "is not an allowed value";
  const { type } = getOption(field, fieldRules);
  const refused: readonly number[] = type.case === "enum" ? type.value.notIn : [];
  const allowed = field.enum.values.filter(({ number }) => !refused.includes(number));
  return `must be one of ${allowed.map(({ name }) => name).join(", ")}`;
}

/** protovalidate writes "must be at least 1 characters". */
function inEnglish(text: string): string {
  return text === "must be at least 1 characters" ? "must not be empty" : text;
}
