import { create, type DescMessage, type Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import type { Validator } from "@bufbuild/protovalidate";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { FieldViolation } from "../error/failure.ts";
import { compileBadTimes, type FindBadTimes } from "./bad-times.ts";
import { compileLongLists, type FindLongLists } from "./long-lists.ts";
import { compileQuickCheck, type QuickCheck } from "./quick-check.ts";

/** What the `buf.validate` rules of the contract have against a message: every field at fault, and no value. */
export type ViolationsOf = (schema: DescMessage, message: Message) => readonly FieldViolation[];

const none: readonly FieldViolation[] = [];

export function createViolationsOf(validator: Validator): ViolationsOf {
  const compiled = new Map<DescMessage, { keepsRules: QuickCheck; findLongLists: FindLongLists; findBadTimes: FindBadTimes }>();
  return (schema, message) => {
    let checks = compiled.get(schema);
    if (checks === undefined) {
      checks = {
        keepsRules: compileQuickCheck(schema),
        findLongLists: compileLongLists(schema),
        findBadTimes: compileBadTimes(schema),
      };
      compiled.set(schema, checks);
    }
    if (checks.keepsRules(message)) return none;
    const longLists = checks.findLongLists(message);
    if (longLists.length > 0) return longLists;
    const badTimes = checks.findBadTimes(message);
    if (badTimes.length > 0) return badTimes;
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
