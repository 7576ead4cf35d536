/** The parts of a Content-Type (RFC 9110, section 8.3.1) that decide how a body is read. */
export interface MediaType {
  /** Type and subtype in lower case, without parameters: `application/json`. */
  readonly essence: string;
  /** Returns false if a `charset` parameter names something other than UTF-8. */
  readonly isUtf8: boolean;
}

const parameter = /;\s*([^=;\s"]*)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^;]*))?/g;
const utf8Names: ReadonlySet<string> = new Set(["", "utf-8", "utf8"]);

/**
 * Accepts the spellings that clients send: any case, `utf8` for `utf-8`, quotes around it, empty parameters, and unknown
 * parameters.
 */
export function parseMediaType(contentType: string): MediaType {
  const text = contentType.toLowerCase();
  const end = text.indexOf(";");
  if (end < 0) return { essence: text.trim(), isUtf8: true };
  const charsets = [...text.slice(end).matchAll(parameter)].filter(([, name]) => name === "charset").map(([, , value = ""]) => value);
  return { essence: text.slice(0, end).trim(), isUtf8: charsets.every((charset) => utf8Names.has(unquoted(charset.trim()))) };
}

function unquoted(value: string): string {
  return /^(?:".*"|'.*')$/.test(value) ? value.slice(1, -1) : value;
}
