import type { KeyPrefixes } from "../core/credential.ts";
import { keyPrefixShape, macaroonWord, publicPrefixOf } from "../core/credential-shape.ts";
import { MalformedError } from "./parsers.ts";

/** See `keyPrefixShape`. */
export function keyPrefix(text: string): string {
  if (!keyPrefixShape.test(text)) {
    throw new MalformedError("must be one to three words of a-z and 0-9, each up to 15 or 16 characters, joined by underscores");
  }
  if (text === macaroonWord) throw new MalformedError(`must not be ${macaroonWord}, the prefix of macaroons`);
  return text;
}

/** Returns all prefixes, secret and public, or null if two of them are equal, because a key would not show which of them it has. */
export function keyPrefixesOf(prefix: string, retired: readonly string[]): KeyPrefixes | null {
  const retiredForms = retired.flatMap((former) => [former, publicPrefixOf(former)]);
  const all = [prefix, publicPrefixOf(prefix), ...retiredForms];
  return new Set(all).size < all.length ? null : { secret: prefix, public: publicPrefixOf(prefix), retired: retiredForms };
}
