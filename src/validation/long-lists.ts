import { type DescMessage, getOption, hasOption, type Message } from "@bufbuild/protobuf";
import { field as fieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import type { FieldViolation } from "../error/failure.ts";

/** The lists in a message, and in messages inside it, with more items than `buf.validate` allows. */
export type FindLongLists = (message: Message | undefined) => FieldViolation[];

/**
 * Compiles the check of list lengths. The validator would also check every item of a list that is too long, and report each that breaks a
 * rule; a body has room for millions.
 */
export function compileLongLists(schema: DescMessage, path = ""): FindLongLists {
  const finders = schema.fields.flatMap((field): FindLongLists[] => {
    const valueIn = (message: Message) => (message as unknown as Record<string, unknown>)[field.localName];
    if (field.fieldKind === "message" && !field.message.typeName.startsWith("google.protobuf.")) {
      const find = compileLongLists(field.message, `${path}${field.name}.`);
      return [(message) => (message === undefined ? [] : find(valueIn(message) as Message | undefined))];
    }
    const { type } = hasOption(field, fieldRules) ? getOption(field, fieldRules) : {};
    if (field.fieldKind !== "list" || type?.case !== "repeated" || type.value.maxItems === 0n) return [];
    const maxItems = Number(type.value.maxItems);
    const violation = { field: path + field.name, description: `must contain no more than ${maxItems} item(s)` };
    return [(message) => (message !== undefined && (valueIn(message) as unknown[]).length > maxItems ? [violation] : [])];
  });
  return (message) => finders.flatMap((find) => find(message));
}
