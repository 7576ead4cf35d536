import { invalidField } from "../error/failure.ts";
import type { JsonObject, JsonValue } from "./key.ts";

const maxBytes = 4096;

/** Refuses metadata over 4096 bytes of JSON, and what protobuf can carry in a Struct but JSON cannot. */
export function checkMetadata(metadata: JsonObject): JsonObject {
  return checkObject("metadata", metadata);
}

/** The same for any field of the request that holds an object. */
export function checkObject(field: string, object: JsonObject): JsonObject {
  if (holdsProto(object)) throw invalidField(field, "must not have a member named __proto__");
  if (!isJson(object)) throw invalidField(field, "must hold only finite numbers and valid Unicode");
  if (Buffer.byteLength(JSON.stringify(object)) > maxBytes) throw invalidField(field, `must be at most ${maxBytes} bytes when serialised`);
  return object;
}

function isJson(value: JsonValue): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value)) return value.every(isJson);
  return Object.entries(value).every(([name, member]) => name.isWellFormed() && isJson(member));
}

/** Many a reader of JSON takes `__proto__` for the prototype of an object, and not for a member. */
function holdsProto(value: JsonValue): boolean {
  if (typeof value !== "object" || value === null) return false;
  return Object.hasOwn(value, "__proto__") || Object.values(value).some(holdsProto);
}

/** JSON with sorted members, so that equal values have equal texts. */
export function canonicalJson(value: JsonValue): string {
  return JSON.stringify(value, (_name, member: JsonValue) =>
    typeof member === "object" && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}
