import { type JsonObject, type Message, toJson } from "@bufbuild/protobuf";
import { isLasting, lastingPartOf } from "../call/lasting-part.ts";
import type { EncodedAnswer } from "../http/json-answer.ts";
import { createMembersWriter, writeJson } from "../protojson/write.ts";
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

/** Longer texts are written each time. The bound of all that is remembered is at `rememberedAnswers` (rpc/lasting-answers.ts). */
const maxRememberedLength = 4096;

/**
 * A frozen message is the answer of many calls (rpc/lasting-answers.ts), or the lasting part of many answers, so its text is remembered.
 * The other fields of an answer are written after those of its lasting part, of which there is at least one.
 */
function createTextWriter(): typeof writeJson {
  const texts = new WeakMap<Message, string>();
  const writers = new WeakMap<readonly string[], (message: Message) => string>();
  const textOf: typeof writeJson = (schema, message) => {
    const known = texts.get(message);
    if (known !== undefined) return known;
    const text = writeJson(schema, message);
    if (text.length <= maxRememberedLength && isLasting(message)) texts.set(message, text);
    return text;
  };
  return (schema, message) => {
    const part = lastingPartOf(message);
    if (part === undefined) return textOf(schema, message);
    const writeOthers = writers.get(part.otherFields) ?? createMembersWriter(schema, part.otherFields);
    writers.set(part.otherFields, writeOthers);
    return `${textOf(schema, part.message as typeof message).slice(0, -1)}${writeOthers(message)}}`;
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
