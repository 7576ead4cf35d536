/** Percent-decoding of paths and queries (RFC 3986). All answer undefined for broken escapes, invalid UTF-8 and raw non-ASCII bytes. */

/** Everything: variables of one segment. */
export function decodeSegment(raw: string): string | undefined {
  if (!isPlain(raw)) return undefined;
  if (!raw.includes("%")) return raw;
  try {
    return decodeURIComponent(raw);
  } catch {
    return undefined;
  }
}

/** Everything but `%2F` and `%2f`, which stay: variables of several segments. */
export function decodeSegments(raw: string): string | undefined {
  return decodeSegment(raw.replaceAll(/%(?=2f)/gi, "%25"));
}

/** The path with a plain colon before its verb: clients that encode a whole segment write `ID%3Arotate`. */
export function withPlainVerb(path: string): string {
  return path.replace(/%3a([^/%:]*)$/i, ":$1");
}

/** As HTML forms write it: `+` is a space. */
export function decodeQueryPart(raw: string): string | undefined {
  return decodeSegment(raw.includes("+") ? raw.replaceAll("+", " ") : raw);
}

/** Node reads the bytes of a request line as Latin-1, so what is beyond ASCII came in raw. */
function isPlain(raw: string): boolean {
  for (let i = 0; i < raw.length; i++) if (raw.charCodeAt(i) > 0x7e) return false;
  return true;
}
