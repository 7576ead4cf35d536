import { type DescMethodUnary, getOption, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { http } from "../../../gen/google/api/annotations_pb.ts";
import { asObject } from "./client.ts";

export interface RestRequest {
  readonly httpMethod: string;
  /** Includes the query. */
  readonly path: string;
  /** Undefined: no body. */
  readonly body: string | undefined;
}

/**
 * A request message as JSON/HTTP, by the method's `google.api.http` rule: fields that are not in the path go into the body or the query.
 */
export function restRequest(method: DescMethodUnary, request: JsonObject): RestRequest {
  const rule = getOption(method, http);
  const { case: verb, value: template } = rule.pattern;
  if (verb === undefined || verb === "custom") throw new Error(`${method.name} has no plain HTTP rule`);
  const rest = structuredClone(request);
  let path = template.replace(/\{([\w.]+)\}/g, (_match, fieldPath: string) => encodeURIComponent(String(take(rest, fieldPath.split(".")))));
  let body: string | undefined;
  if (rule.body === "*") {
    body = JSON.stringify(rest);
  } else {
    if (rule.body !== "") body = JSON.stringify(take(rest, [rule.body]) ?? {});
    const query = new URLSearchParams(Object.entries(rest).flatMap(([name, value]) => queryPairs(name, value)));
    if (query.size > 0) path += `?${query}`;
  }
  return { httpMethod: verb.toUpperCase(), path, body };
}

/** Removes a member from nested objects and returns its value. */
function take(object: JsonObject, [name = "", ...inner]: readonly string[]): JsonValue | undefined {
  const value = object[name];
  if (inner.length > 0) return value === undefined ? undefined : take(asObject(value), inner);
  delete object[name];
  return value;
}

function queryPairs(name: string, value: JsonValue): [string, string][] {
  return (Array.isArray(value) ? value : [value]).map((item): [string, string] => [name, String(item)]);
}
