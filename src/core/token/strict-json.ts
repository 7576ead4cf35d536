import type { JsonObject, JsonValue } from "../key.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** What tells members apart in valid JSON: strings, and what opens, closes and separates. */
const tokens = /"(?:[^"\\]|\\.)*"|[{}[\]:]/g;

/** The JSON object in UTF-8 bytes, or null for what is none or has a member twice, which readers take differently (RFC 8725, section 2.4). */
export function parseStrictObject(bytes: Uint8Array): JsonObject | null {
  let text: string;
  let value: JsonValue;
  try {
    text = utf8.decode(bytes);
    value = JSON.parse(text) as JsonValue;
  } catch {
    return null;
  }
  return typeof value === "object" && value !== null && !Array.isArray(value) && !hasMemberTwice(text) ? value : null;
}

function hasMemberTwice(json: string): boolean {
  const open: Set<string>[] = [];
  let last = "";
  for (const [token] of json.matchAll(tokens)) {
    if (token === "{" || token === "[") open.push(new Set());
    else if (token === "}" || token === "]") open.pop();
    else if (token === ":") {
      const members = open.at(-1) as Set<string>;
      const name = JSON.parse(last) as string;
      if (members.has(name)) return true;
      members.add(name);
    } else last = token;
  }
  return false;
}
