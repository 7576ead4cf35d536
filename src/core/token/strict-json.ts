import type { JsonObject, JsonValue } from "../key.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const strings = /"(?:[^"\\]|\\.)*"/g;

/**
 * Parses a JSON object in UTF-8. Returns null for anything else, and for duplicate members, which readers treat differently (RFC 8725,
 * section 2.4).
 */
export function parseStrictObject(bytes: Uint8Array): JsonObject | null {
  try {
    const text = utf8.decode(bytes);
    const value = JSON.parse(text) as JsonValue;
    if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
    // JSON.parse keeps one of duplicate members, so the text has more members than the value.
    return colonsOutsideStrings(text) === memberCount(value) ? value : null;
  } catch {
    return null;
  }
}

function colonsOutsideStrings(json: string): number {
  return json.replace(strings, "").split(":").length - 1;
}

function memberCount(value: JsonValue): number {
  if (typeof value !== "object" || value === null) return 0;
  const members = Object.values(value);
  return members.reduce<number>((sum, member) => sum + memberCount(member), Array.isArray(value) ? 0 : members.length);
}
