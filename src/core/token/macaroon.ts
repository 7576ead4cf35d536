import type { Subkey } from "../subkeys.ts";
import { readCaveats } from "./caveat.ts";
import { claimsOf, factsOf } from "./claims.ts";
import type { ReadToken, TokenFacts } from "./facts.ts";
import { addCaveat, isSignedBy, signIdentifier } from "./macaroon-chain.ts";
import { type Macaroon, macaroonFromText, macaroonToText, maxCaveatBytes, maxCaveats, maxMacaroonLength } from "./macaroon-format.ts";
import { parseStrictObject } from "./strict-json.ts";

/**
 * Makes a macaroon. Its identifier contains everything that this service states, as the claims that a JWT would have. Caveats come only
 * from holders: a caveat of ours would look like one of theirs, so no caveat may grant anything. Every identifier contains a new id,
 * so two macaroons never have the same first signature, although they have the same root key.
 */
export function mintMacaroon(rootKey: Subkey, facts: TokenFacts): string {
  return macaroonToText(signIdentifier(rootKey.key, Buffer.from(JSON.stringify(claimsOf(facts)))));
}

/**
 * Reads a macaroon that was made here. `invalid_format`: the text is not a macaroon, or it has an unknown or a third-party caveat.
 * `signature_invalid`: none of the root keys signed it, or it was changed later.
 */
export function readMacaroon(rootKeys: readonly Subkey[], text: string): ReadToken | "invalid_format" | "signature_invalid" {
  const macaroon = macaroonFromText(text);
  if (macaroon === null) return "invalid_format";
  if (!rootKeys.some(({ key }) => isSignedBy(key, macaroon))) return "signature_invalid";
  const claims = parseStrictObject(macaroon.identifier);
  const facts = claims === null ? null : factsOf(claims);
  const narrowing = facts === null ? null : readCaveats(macaroon.caveats, facts);
  return facts === null || narrowing === null ? "invalid_format" : { facts, narrowing };
}

/** Reports whether the text is a macaroon made with one of the keys, whatever its caveats say. */
export function isSignedByAny(rootKeys: readonly Subkey[], text: string): boolean {
  const macaroon = macaroonFromText(text);
  return macaroon !== null && rootKeys.some(({ key }) => isSignedBy(key, macaroon));
}

/** Adds caveats to a macaroon, as any holder can. Returns null if the result would exceed the bounds of a macaroon. */
export function narrowMacaroon(text: string, caveats: readonly string[]): string | null {
  const held = macaroonFromText(text);
  if (held === null) return null;
  const narrowed = caveats.map((caveat) => Buffer.from(caveat)).reduce<Macaroon>(addCaveat, held);
  if (narrowed.caveats.length > maxCaveats || narrowed.caveats.some(({ length }) => length > maxCaveatBytes)) return null;
  const narrowedText = macaroonToText(narrowed);
  return narrowedText.length > maxMacaroonLength ? null : narrowedText;
}
