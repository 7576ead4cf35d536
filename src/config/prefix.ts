import type { KeyPrefixes } from "../core/credential.ts";
import { Malformed } from "./parsers.ts";

/** One to three words of lower-case letters and digits with underscores between them: `kw`, `acme_live`. */
export function keyPrefix(text: string): string {
  if (!/^[a-z][a-z0-9]{0,15}(_[a-z0-9]{1,15}){0,2}$/.test(text)) {
    throw new Malformed("must be one to three words of a-z and 0-9, each up to 15 or 16 characters, joined by underscores");
  }
  if (text === "mc") throw new Malformed("must not be mc, the prefix of macaroons");
  return text;
}

/** All prefixes, secret and public; null where two of them are the same, so that a key would not tell its kind. */
export function keyPrefixesOf(prefix: string, retired: readonly string[]): KeyPrefixes | null {
  const publicForm = (secretForm: string) => `${secretForm}_pub`;
  const retiredForms = retired.flatMap((former) => [former, publicForm(former)]);
  const all = [prefix, publicForm(prefix), ...retiredForms];
  return new Set(all).size < all.length ? null : { secret: prefix, public: publicForm(prefix), retired: retiredForms };
}
