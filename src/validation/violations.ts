import { setImmediate } from "node:timers/promises";
import { create, type DescMessage, type Message } from "@bufbuild/protobuf";
import type { FieldViolation } from "../error/failure.ts";
import { memoized } from "../memoized.ts";
import { compileLongLists, type FindLongLists } from "./long-lists.ts";
import { compileQuickCheck, type QuickCheck } from "./quick-check.ts";
import { compileTimeCheck, type FindBadTimes } from "./times.ts";
import type { Validate } from "./validator.ts";

/** Every field of a message that breaks its `buf.validate` rules. Values are never repeated in the text. */
export type ViolationsOf = (schema: DescMessage, message: Message) => readonly FieldViolation[];

interface Checks {
  readonly isSurelyValid: QuickCheck;
  readonly findLongLists: FindLongLists;
  readonly findBadTimes: FindBadTimes;
}

const none: readonly FieldViolation[] = [];

/** Checks messages against their `buf.validate` rules. */
export interface Validation {
  /** Call it after `prepare` has returned undefined or has resolved, for this message or for the one that contains it. */
  readonly violationsOf: ViolationsOf;
  /** Returns a promise if the message needs the validator and that is not loaded yet. */
  prepare(schema: DescMessage, message: Message): Promise<void> | undefined;
  /**
   * Loads the validator and compiles the rules of these messages, one per turn of the event loop, because the first use takes some
   * milliseconds.
   */
  warmUp(schemas: readonly DescMessage[]): Promise<void>;
}

export function createValidation(): Validation {
  const checksOf = memoized(compileChecks);
  let validate: Validate | undefined;

  const load = async (): Promise<Validate> => {
    const { createFullValidator } = await import("./validator.ts");
    validate ??= createFullValidator();
    return validate;
  };

  return {
    violationsOf(schema, message) {
      const checks = checksOf(schema);
      if (checks.isSurelyValid(message)) return none;
      const longLists = checks.findLongLists(message);
      if (longLists.length > 0) return longLists;
      const badTimes = checks.findBadTimes(message);
      if (badTimes.length > 0) return badTimes;
      if (validate === undefined) throw new Error(`${schema.typeName} was not prepared`);
      return validate(schema, message);
    },

    prepare(schema, message) {
      return validate !== undefined || checksOf(schema).isSurelyValid(message) ? undefined : load().then(() => {});
    },

    async warmUp(schemas) {
      const validateNow = await load();
      for (const schema of schemas) {
        await setImmediate();
        checksOf(schema);
        validateNow(schema, create(schema));
      }
    },
  };
}

function compileChecks(schema: DescMessage): Checks {
  return {
    isSurelyValid: compileQuickCheck(schema),
    findLongLists: compileLongLists(schema),
    findBadTimes: compileTimeCheck(schema),
  };
}
