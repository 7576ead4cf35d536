import { create, type DescMessage, type Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import type { Validator } from "@bufbuild/protovalidate";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { FieldViolation } from "../error/failure.ts";
import { compileQuickCheck, type QuickCheck } from "./quick-check.ts";

/** What the `buf.validate` rules of the contract have against a message: every field at fault, and no value. */
export type ViolationsOf = (schema: DescMessage, message: Message) => readonly FieldViolation[];

const none: readonly FieldViolation[] = [];

export function createViolationsOf(validator: Validator): ViolationsOf {
  const quickChecks = new Map<DescMessage, QuickCheck>();
  return (schema, message) => {
    let keepsRules = quickChecks.get(schema);
    if (keepsRules === undefined) {
      keepsRules = compileQuickCheck(schema);
      quickChecks.set(schema, keepsRules);
    }
    if (keepsRules(message)) return none;
    const result = validator.validate(schema, message);
    if (result.kind === "valid") return none;
    if (result.kind === "error") throw result.error;
    return result.violations.map(({ field, message: description }) => ({ field: pathToString(field), description }));
  };
}

/** `field: what is wrong with it; ...` */
export function violationsText(violations: readonly FieldViolation[]): string {
  return violations.map(({ field, description }) => `${field}: ${description}`).join("; ");
}

/** The first validation of a message compiles its rules, which takes some 60 ms: before the first caller waits for it. */
export function warmUp(validator: Validator): void {
  for (const { input } of ApiKeysService.methods) validator.validate(input, create(input));
}
