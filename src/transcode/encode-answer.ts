import { type JsonObject, type Message, toJson } from "@bufbuild/protobuf";
import type { EncodedAnswer } from "../http/json-answer.ts";
import { writeJson } from "../protojson/write.ts";
import type { Route } from "./route.ts";

/** Encodes a success: the route's status and Location, and the message or its field as JSON. Throws if the message has no JSON form. */
export function encodeAnswer(route: Route, message: Message): EncodedAnswer {
  const { status, location } = route.success;
  return { status, location: location?.(message), text: status === 204 ? "" : responseText(route, message) };
}

function responseText(route: Route, message: Message): string {
  const schema = route.method.output;
  if (route.responseBody === undefined) return writeJson(schema, message);
  const { name, fieldKind } = route.responseBody;
  const member = (toJson(schema, message, { useProtoFieldName: true }) as JsonObject)[name];
  if (member !== undefined) return JSON.stringify(member);
  // An unset field is an empty message, or the field's default.
  const defaults = toJson(schema, message, { useProtoFieldName: true, alwaysEmitImplicit: true }) as JsonObject;
  return fieldKind === "message" ? "{}" : JSON.stringify(defaults[name] ?? null);
}
