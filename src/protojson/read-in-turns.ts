import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import { Failure, type FieldViolation } from "../error/failure.ts";
import type { Turns } from "../turns.ts";
import { type Diagnosis, diagnoseItem, maxViolations } from "./diagnose.ts";
import { fieldsByJsonName, isJsonObject, type JsonMembers } from "./fields.ts";
import { invalidFields } from "./invalid-fields.ts";

/** Reads JSON as a message, at once. `read` throws a Failure for what it cannot read, `readItem` any error. */
interface Readers {
  readonly read: (json: unknown) => Message;
  readonly readItem: (json: unknown) => Message;
  readonly diagnosis: Diagnosis;
}

/** A list of messages in the JSON. */
interface List {
  readonly name: string;
  readonly field: DescField;
  readonly items: readonly unknown[];
}

/**
 * Reads a long message: the items of its lists of messages one by one, in turns of the event loop, and the rest at once. Throws Failure
 * INVALID_REQUEST with the violations of the rest, then those of the items, up to 100.
 */
export async function readInTurns(schema: DescMessage, json: unknown, readers: Readers, turns: Turns): Promise<Message> {
  if (!isJsonObject(json)) return readers.read(json);
  const lists = listsIn(schema, json);
  const rest = { ...json };
  for (const { name } of lists) rest[name] = [];
  const { message, violations } = readRest(rest, readers);
  for (const list of lists) {
    for (const [index, item] of list.items.entries()) {
      if (turns.isOver()) await turns.next();
      if (violations.length >= maxViolations) break;
      const found = readItem(list, item, index, readers);
      if (Array.isArray(found)) violations.push(...found);
      else listOf(message, list.field)?.push(found);
    }
  }
  if (message === undefined || violations.length > 0) throw invalidFields(violations.slice(0, maxViolations));
  return message;
}

function listsIn(schema: DescMessage, json: JsonMembers): List[] {
  return Object.entries(json).flatMap(([name, items]) => {
    const field = fieldsByJsonName(schema).get(name);
    return field?.fieldKind === "list" && field.message !== undefined && Array.isArray(items) ? [{ name, field, items }] : [];
  });
}

function readRest(json: JsonMembers, { read }: Readers): { message: Message | undefined; violations: FieldViolation[] } {
  try {
    return { message: read(json), violations: [] };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { message: undefined, violations: [...error.violations] };
  }
}

function readItem({ name, field }: List, item: unknown, index: number, readers: Readers): unknown {
  try {
    return listOf(readers.readItem({ [name]: [item] }), field)?.[0];
  } catch (error) {
    const path = `${field.name}[${index}]`;
    const problems = diagnoseItem(readers.diagnosis, field, item, path);
    if (problems.length === 0) throw error;
    return problems;
  }
}

function listOf(message: Message | undefined, field: DescField): unknown[] | undefined {
  return (message as unknown as Record<string, unknown[]> | undefined)?.[field.localName];
}
