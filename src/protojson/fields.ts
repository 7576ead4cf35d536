import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";
import { type Failure, invalidField } from "../error/failure.ts";
import { memoized } from "../memoized.ts";

/** Maximum nesting that is read, as in protobuf's own parsers. Messages, Struct, Value and the items of ListValue count. */
export const maxDepth = 100;
export const nestingProblem = `must not be nested more than ${maxDepth} levels deep`;

/** A 400 for a request that is nested too deeply to be read. */
export function nestedTooDeep(): Failure {
  return invalidField("", nestingProblem);
}

/** Well-known messages, beside the wrappers, whose JSON is not an object of their fields. */
const opaque: ReadonlySet<string> = new Set(
  ["Any", "Duration", "FieldMask", "ListValue", "Struct", "Timestamp", "Value"].map((name) => `google.protobuf.${name}`),
);

/** Whether the JSON of a message is an object of its fields. */
export function hasMembers(schema: DescMessage): boolean {
  return !opaque.has(schema.typeName) && !isWrapperDesc(schema);
}

type Fields = ReadonlyMap<string, DescField>;

/** The fields of a message by every name that JSON may use: snake_case as in the proto, and lowerCamelCase. */
export const fieldsByJsonName: (schema: DescMessage) => Fields = memoized(
  ({ fields }) => new Map(fields.flatMap((field) => [field.name, field.jsonName].map((name) => [name, field] as const))),
  new WeakMap<DescMessage, Fields>(),
);

export type JsonMembers = { [name: string]: unknown };

export function isJsonObject(json: unknown): json is JsonMembers {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

/** Reads only own members, because a field may be called `constructor`. */
export function memberOf(json: JsonMembers, name: string): unknown {
  return Object.hasOwn(json, name) ? json[name] : undefined;
}

/** `issued_api_key.name`, and just `name` at the top. */
export function childPath(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

const maxNameLength = 24;

/** A caller's name, shortened for an error text. */
export function printableName(name: string): string {
  const text = name === "" ? '""' : name.toWellFormed();
  return text.length > maxNameLength ? `${text.slice(0, maxNameLength).toWellFormed()}…` : text;
}
