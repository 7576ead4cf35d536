import type { DescField, DescMessage } from "@bufbuild/protobuf";

/** Nesting that is read: that of protobuf's own parsers. Messages, Struct, Value and the items of ListValue count. */
export const maxDepth = 100;

const fieldsBySchema = new WeakMap<DescMessage, ReadonlyMap<string, DescField>>();

/** The fields of a message by every name that JSON may use: snake_case as in the proto, and lowerCamelCase. */
export function fieldsByJsonName(schema: DescMessage): ReadonlyMap<string, DescField> {
  let fields = fieldsBySchema.get(schema);
  if (fields === undefined) {
    fields = new Map(
      schema.fields.flatMap((field) => [
        [field.name, field],
        [field.jsonName, field],
      ]),
    );
    fieldsBySchema.set(schema, fields);
  }
  return fields;
}

export type JsonMembers = { [name: string]: unknown };

export function isJsonObject(json: unknown): json is JsonMembers {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

/** Own members only: a field may be called `constructor`. */
export function memberOf(json: JsonMembers, name: string): unknown {
  return Object.hasOwn(json, name) ? json[name] : undefined;
}

/** `issued_api_key.name`, and just `name` at the top. */
export function childPath(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

const maxNameLength = 24;

/** A name that comes from outside, fit for an error text. */
export function printableName(name: string): string {
  const text = name.toWellFormed();
  return text.length > maxNameLength ? `${text.slice(0, maxNameLength).toWellFormed()}…` : text;
}
