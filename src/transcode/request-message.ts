import { create, type DescField, type Message } from "@bufbuild/protobuf";
import { type FieldViolation, invalidField, invalidRequest } from "../error/failure.ts";
import { fieldsByJsonName, hasMembers, isJsonObject, type JsonMembers, memberOf } from "../protojson/fields.ts";
import type { JsonReader } from "../protojson/read.ts";
import type { Turns } from "../turns.ts";
import { type FieldPath, pathText } from "./field-path.ts";
import { setField } from "./field-setter.ts";
import { decodeSegment, decodeSegments } from "./percent.ts";
import { queryToJson } from "./query.ts";
import type { PathBinding, Route } from "./route.ts";
import { segmentEnd } from "./trie.ts";

/** The parts of a request. `body` is undefined if there is none. */
export interface RequestParts {
  /** As received. */
  readonly path: string;
  /** The text after the question mark, as received. */
  readonly query: string;
  readonly body: unknown;
}

/** `turns`: reads a long body in several turns of the event loop. */
export type BuildRequest = (parts: RequestParts, turns?: Turns) => Message | Promise<Message>;

/**
 * Compiles a function that makes the request message of a route. Body and query are combined into one JSON for the reader, then the path's
 * variables are set. Throws Failure INVALID_REQUEST.
 *
 * A rule with a body field accepts that field's message. It also accepts the whole request message, which AIP-134 clients send, with the
 * field as a member, unless the field's message itself has a member of that name.
 */
export function compileRequest(route: Route, reader: JsonReader): BuildRequest {
  const schema = route.method.input;
  const bound: ReadonlySet<DescField> = new Set(route.bindings.map((binding) => binding.field.at(-1) as DescField));
  const boundNames = new Set(route.bindings.map((binding) => pathText(binding.field)));
  const boundBy = (path: FieldPath) => {
    if (boundNames.has(pathText(path))) return "path";
    return route.body === "all" || route.body === path[0] ? "body" : undefined;
  };
  const rules = { schema, boundBy, ignoreUnknown: reader.unknownFields === "ignore" };
  const withVariables = (message: Message, path: string): Message => {
    if (route.bindings.length > 0) setVariables(message, route.bindings, path);
    return message;
  };
  return (parts, turns) => {
    let json = route.body === "none" ? undefined : bodyJson(route.body, parts.body === undefined ? {} : parts.body);
    if (parts.query !== "") {
      const violations: FieldViolation[] = [];
      json = merge(json, queryToJson(parts.query, rules, violations), route, violations);
      if (violations.length > 0) throw invalidRequest(violations);
    }
    if (turns !== undefined && json !== undefined) {
      return reader.readInTurns(schema, json, turns, bound).then((message) => withVariables(message, parts.path));
    }
    return withVariables(json === undefined ? create(schema) : reader.read(schema, json, "", bound), parts.path);
  };
}

function bodyJson(body: "all" | DescField, json: unknown): unknown {
  if (body === "all" || isWrapped(body, json)) return json;
  // As a member, `null` would count as not set (protobuf JSON). As a body it is not a message.
  if (json === null && body.message !== undefined && hasMembers(body.message)) throw invalidField(body.name, "must be a JSON object");
  return { [body.name]: json };
}

function isWrapped(field: DescField, json: unknown): boolean {
  if (field.fieldKind !== "message" || !hasMembers(field.message) || !isJsonObject(json)) return false;
  const own = fieldsByJsonName(field.message);
  return [field.name, field.jsonName].some((name) => Object.hasOwn(json, name) && !own.has(name));
}

/** Merges the query's members into the body's. A member in both is a violation. */
function merge(json: unknown, query: JsonMembers, route: Route, violations: FieldViolation[]): unknown {
  const names = Object.keys(query);
  if (names.length === 0 || !isJsonObject(json)) return json ?? query;
  for (const name of names) {
    const field = route.method.input.fields.find((candidate) => candidate.name === name);
    if (field && (memberOf(json, field.name) ?? memberOf(json, field.jsonName) ?? null) !== null) {
      violations.push({ field: name, description: "is taken from the body and cannot be a query parameter" });
    }
  }
  return { ...json, ...query };
}

function setVariables(message: Message, bindings: readonly PathBinding[], path: string): void {
  const violations: FieldViolation[] = [];
  for (const binding of bindings) {
    const raw = capturedText(path, binding);
    const text = binding.isMulti ? decodeSegments(raw) : decodeSegment(raw);
    const problem = text === undefined ? "is not valid percent-encoding in the path" : setField(message, binding.field, text);
    if (problem !== undefined) violations.push({ field: pathText(binding.field), description: problem });
  }
  if (violations.length > 0) throw invalidRequest(violations);
}

/** The segments that a variable captures, without the path's verb. */
function capturedText(path: string, binding: PathBinding): string {
  const colon = path.lastIndexOf(":");
  const pathEnd = colon > path.lastIndexOf("/") ? colon : path.length;
  let start = 1;
  for (let i = 0; i < binding.start; i++) start = segmentEnd(path, start, pathEnd) + 1;
  if (binding.end === undefined) return path.slice(start, pathEnd);
  let end = start - 1;
  for (let i = binding.start; i < binding.end; i++) end = segmentEnd(path, end + 1, pathEnd);
  return path.slice(start, end);
}
