import { invalidField } from "../error/failure.ts";
import type { JsonObject, JsonValue } from "./key.ts";

const maxBytes = 4096;

/**
 * Maximum levels of objects and arrays, including the outermost one. Protobuf parsers stop at 100 levels of messages, and an object in a
 * Struct takes three of them. So a response with metadata of 20 levels takes at most 70, including lists, batches and the claims of a
 * token.
 */
const maxDepth = 20;
/** The claims of a token contain metadata one level further down. */
const maxAnswerDepth = maxDepth + 1;

/** From this size on JSON writes numbers with an exponent, so no reader treats them as integers. */
const minExponentForm = 1e21;

/** Refuses metadata of more than 4096 bytes of JSON or 20 levels, and values that some clients would read differently. */
export function checkMetadata(metadata: JsonObject): JsonObject {
  return checkObject("metadata", metadata);
}

/** The same check for any field of the request that contains an object. */
export function checkObject(field: string, object: JsonObject): JsonObject {
  if (isDeeper(object, maxDepth)) throw invalidField(field, `must not be nested more than ${maxDepth} levels deep`);
  if (holdsProto(object)) throw invalidField(field, "must not have a member named __proto__");
  if (!isJson(object)) throw invalidField(field, "must contain only finite numbers and valid Unicode");
  if (hasUnsafeInteger(object)) throw invalidField(field, "must not contain integers beyond 2^53 - 1; use a string");
  if (Buffer.byteLength(JSON.stringify(object)) > maxBytes) throw invalidField(field, `must be at most ${maxBytes} bytes when serialised`);
  return object;
}

/**
 * The object in a form that every client can read: values nested deeper than 21 levels become strings of their JSON. So keys that were
 * stored before there was a bound do not break the lists and batches that contain them.
 */
export function withBoundedDepth(object: JsonObject): JsonObject {
  return isDeeper(object, maxAnswerDepth) ? (flattened(object, maxAnswerDepth) as JsonObject) : object;
}

function flattened(value: JsonValue, levels: number): JsonValue {
  if (typeof value !== "object" || value === null) return value;
  if (levels === 0) return JSON.stringify(value);
  if (Array.isArray(value)) return value.map((item) => flattened(item, levels - 1));
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, flattened(member, levels - 1)]));
}

function isDeeper(value: JsonValue, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  for (const name in value) if (isDeeper((value as JsonObject)[name] as JsonValue, levels - 1)) return true;
  return false;
}

/** Reports whether there is an integer of more than 53 bits. Many readers would round it. */
function hasUnsafeInteger(value: JsonValue): boolean {
  if (typeof value === "number") return Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < minExponentForm;
  return typeof value === "object" && value !== null && Object.values(value).some(hasUnsafeInteger);
}

function isJson(value: JsonValue): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value)) return value.every(isJson);
  return Object.entries(value).every(([name, member]) => name.isWellFormed() && isJson(member));
}

/** Reports whether there is a member named `__proto__`. Many JSON readers treat it as the prototype of an object. */
function holdsProto(value: JsonValue): boolean {
  if (typeof value !== "object" || value === null) return false;
  return Object.hasOwn(value, "__proto__") || Object.values(value).some(holdsProto);
}

/** JSON with sorted members. Equal values have equal texts. */
export function canonicalJson(value: JsonValue): string {
  return JSON.stringify(withSortedMembers(value));
}

/** Not a replacer of JSON.stringify, with which that takes twice as long. */
function withSortedMembers(value: JsonValue): JsonValue {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(withSortedMembers);
  const names = Object.keys(value).sort();
  return Object.fromEntries(names.map((name) => [name, withSortedMembers(value[name] as JsonValue)]));
}
