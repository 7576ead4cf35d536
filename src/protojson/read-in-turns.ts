import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import type { Turns } from "../turns.ts";
import { fieldsByJsonName, isJsonObject, type JsonMembers } from "./fields.ts";

/** A list of messages in the JSON. */
interface List {
  readonly name: string;
  readonly field: DescField;
  readonly items: readonly unknown[];
}

/**
 * Reads a long message: the items of its lists of messages one by one, in turns of the event loop, and the rest at once. `read` reads JSON
 * of the message, and throws if that is not possible.
 */
export async function readInTurns(schema: DescMessage, json: unknown, read: (part: unknown) => Message, turns: Turns): Promise<Message> {
  if (!isJsonObject(json)) return read(json);
  const lists = listsIn(schema, json);
  const rest = { ...json };
  for (const { name } of lists) rest[name] = [];
  const message = read(rest);
  for (const { name, field, items } of lists) {
    for (const item of items) {
      if (turns.isOver()) await turns.next();
      listOf(message, field).push(...listOf(read({ [name]: [item] }), field));
    }
  }
  return message;
}

function listsIn(schema: DescMessage, json: JsonMembers): List[] {
  return Object.entries(json).flatMap(([name, items]) => {
    const field = fieldsByJsonName(schema).get(name);
    return field?.fieldKind === "list" && field.message !== undefined && Array.isArray(items) ? [{ name, field, items }] : [];
  });
}

function listOf(message: Message, field: DescField): unknown[] {
  return (message as unknown as Record<string, unknown[]>)[field.localName] as unknown[];
}
