import { jwtPrefix, macaroonPrefix } from "../credential-shape.ts";

/** The texts that only tokens of this installation contain: the ids of its signing keys, and the names of its issuers. */
export interface OwnMarks {
  readonly kids: Iterable<string>;
  readonly issuers: readonly string[];
}

/**
 * Reports whether a text that begins as a token does is one of ours, even if the rest of it is damaged or missing: if the header of a JWT
 * still names a signing key, or what is left of a macaroon its issuer.
 */
export function isLeftOfToken(text: string, { kids, issuers }: OwnMarks): boolean {
  if (text.startsWith(jwtPrefix)) return contains(text.split(".", 1)[0] as string, "kid", kids);
  return text.startsWith(macaroonPrefix) && contains(text.slice(macaroonPrefix.length), "iss", issuers);
}

/** Base64 has groups of four characters. Where characters are missing or inserted, the rest of the text is in other groups. */
const groupChars = 4;

/** Reports whether the JSON in the text has this member with one of these values. */
function contains(base64: string, member: string, values: Iterable<string>): boolean {
  const marks = Array.from(values, (value) => `"${member}":${JSON.stringify(value)}`);
  for (let skipped = 0; skipped < groupChars; skipped += 1) {
    const bytes = Buffer.from(base64.slice(skipped), "base64");
    if (marks.some((mark) => bytes.includes(mark))) return true;
  }
  return false;
}
