import { type JsonObject, type Message, toJson } from "@bufbuild/protobuf";
import type { EncodedAnswer } from "../http/json-answer.ts";
import { writeJson } from "../protojson/write.ts";
import type { Route } from "./route.ts";

/** Encodes a success: the route's status and Location, and the message or its field as JSON. Throws if the message has no JSON form. */
export type EncodeAnswer = (route: Route, message: Message) => EncodedAnswer;

export function createAnswerEncoder(): EncodeAnswer {
  const textOf = createTextWriter();
  return (route, message) => {
    const { status, location } = route.success;
    return { status, location: location?.(message), text: status === 204 ? "" : responseText(route, message, textOf) };
  };
}

/** A frozen message is the answer of many calls (rpc/lasting-answers.ts), so its text is remembered. */
function createTextWriter(): typeof writeJson {
  const texts = new WeakMap<Message, string>();
  return (schema, message) => {
    const known = texts.get(message);
    if (known !== undefined) return known;
    const text = writeJson(schema, message);
    if (Object.isFrozen(message)) texts.set(message, text);
    return text;
  };
}

function responseText(route: Route, message: Message, textOf: typeof writeJson): string {
  const schema = route.method.output;
  if (route.responseBody === undefined) return textOf(schema, message);
  const { name, fieldKind } = route.responseBody;
  const member = (toJson(schema, message, { useProtoFieldName: true }) as JsonObject)[name];
  if (member !== undefined) return JSON.stringify(member);
  // An unset field is an empty message, or the field's default.
  const defaults = toJson(schema, message, { useProtoFieldName: true, alwaysEmitImplicit: true }) as JsonObject;
  return fieldKind === "message" ? "{}" : JSON.stringify(defaults[name] ?? null);
}
