/**
 * Percent-decoding of paths and queries (RFC 3986). All functions return undefined for broken escapes, invalid UTF-8 and raw non-ASCII
 * bytes.
 */

/** Decodes everything. For variables of one segment. */
export function decodeSegment(raw: string): string | undefined {
  if (!isPlain(raw)) return undefined;
  if (!raw.includes("%")) return raw;
  try {
    return decodeURIComponent(raw);
  } catch {
    return undefined;
  }
}

/** Decodes everything but `%2F` and `%2f`. For variables of several segments. */
export function decodeSegments(raw: string): string | undefined {
  return decodeSegment(raw.replaceAll(/%(?=2f)/gi, "%25"));
}

/** Returns the path with a plain colon before its verb: clients that encode a whole segment write `ID%3Arotate`. */
export function withPlainVerb(path: string): string {
  return path.replace(/%3a([^/%:]*)$/i, ":$1");
}

/** Decodes the encoding of HTML forms: `+` is a space. */
export function decodeQueryPart(raw: string): string | undefined {
  return decodeSegment(raw.includes("+") ? raw.replaceAll("+", " ") : raw);
}

/** Node reads the bytes of a request line as Latin-1, so a character beyond ASCII was not encoded. */
function isPlain(raw: string): boolean {
  for (let i = 0; i < raw.length; i++) if (raw.charCodeAt(i) > 0x7e) return false;
  return true;
}
