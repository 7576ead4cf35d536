import type { DescField, DescMessage } from "@bufbuild/protobuf";
import type { FieldViolation } from "../error/failure.ts";
import { type JsonMembers, maxDepth, printableName } from "../protojson/fields.ts";
import { type FieldPath, isScalarLike, pathText, resolveFieldPath } from "./field-path.ts";
import { enumJson, scalarJson } from "./field-setter.ts";
import { decodeQueryPart } from "./percent.ts";

export interface QueryRules {
  readonly schema: DescMessage;
  /** Returns the part of the request that sets this field, or undefined if the query may set it. */
  readonly boundBy: (path: FieldPath) => "path" | "body" | undefined;
  readonly ignoreUnknown: boolean;
}

const maxViolations = 100;

/**
 * Converts query parameters to the JSON of the request message, in proto names, for the JSON reader to check. A parameter is a field path
 * with dots, in either casing. It may be repeated for repeated fields, and occurs once for others. Adds a violation for each invalid
 * parameter.
 */
export function queryToJson(query: string, rules: QueryRules, violations: FieldViolation[]): JsonMembers {
  const json = noMembers();
  for (const part of query.split("&")) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    const name = decodeQueryPart(equals < 0 ? part : part.slice(0, equals));
    const text = equals < 0 ? "" : decodeQueryPart(part.slice(equals + 1));
    if (name === undefined) violations.push({ field: "", description: "has a query parameter whose name is not validly percent-encoded" });
    else addParameter(json, name, text, rules, violations);
    if (violations.length >= maxViolations) break;
  }
  return json;
}

function addParameter(json: JsonMembers, name: string, text: string | undefined, rules: QueryRules, violations: FieldViolation[]): void {
  const path = name.split(".", maxDepth + 1).length > maxDepth ? undefined : resolveFieldPath(rules.schema, name);
  if (path === undefined) {
    if (!rules.ignoreUnknown) violations.push(unknownParameter(name));
    return;
  }
  const report = (description: string) => violations.push({ field: pathText(path), description });
  const leaf = path.at(-1) as DescField;
  const source = rules.boundBy(path);
  if (source !== undefined) report(`is taken from the ${source} and cannot be a query parameter`);
  else if (!isScalarLike(leaf)) report("cannot be a query parameter");
  else if (text === undefined) report("is not valid percent-encoding");
  else if (!setMember(json, path, leafJson(leaf, text))) report("is given twice");
}

function unknownParameter(name: string): FieldViolation {
  if (name === "") return { field: "", description: "has a query parameter without a name" };
  return { field: printableName(name), description: "unknown query parameter" };
}

/** Returns false if a field that is not repeated was already set. */
function setMember(json: JsonMembers, path: FieldPath, value: unknown): boolean {
  let target = json;
  for (const field of path.slice(0, -1)) {
    target[field.name] ??= noMembers();
    target = target[field.name] as JsonMembers;
  }
  const leaf = path.at(-1) as DescField;
  const present = Object.hasOwn(target, leaf.name);
  if (leaf.fieldKind === "list") {
    if (present) (target[leaf.name] as unknown[]).push(value);
    else target[leaf.name] = [value];
    return true;
  }
  if (!present) target[leaf.name] = value;
  return !present;
}

function leafJson(field: DescField, text: string): unknown {
  if (field.enum !== undefined) return enumJson(text);
  return scalarJson(field.message === undefined ? field.scalar : field.message.fields[0]?.scalar, text);
}

/** Has no prototype, because a field may be called `constructor`. */
function noMembers(): JsonMembers {
  return Object.create(null) as JsonMembers;
}
