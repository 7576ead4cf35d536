import type { Subkey } from "../subkeys.ts";
import { readCaveats } from "./caveat.ts";
import { claimsOf, factsOf } from "./claims.ts";
import type { ReadToken, TokenFacts } from "./facts.ts";
import { addCaveat, isSignedBy, signIdentifier } from "./macaroon-chain.ts";
import { type Macaroon, macaroonFromText, macaroonToText, maxCaveatBytes, maxCaveats, maxMacaroonLength } from "./macaroon-format.ts";
import { parseStrictObject } from "./strict-json.ts";

/**
 * All that this service says stands in the identifier, as the claims that a JWT would have; caveats are the holders'. A first-party caveat of
 * ours would look like one of theirs, so none can grant anything. Every identifier has an id of its own, so that no two macaroons begin with
 * one signature, although they have one root key.
 */
export function mintMacaroon(rootKey: Subkey, facts: TokenFacts): string {
  return macaroonToText(signIdentifier(rootKey.key, Buffer.from(JSON.stringify(claimsOf(facts)))));
}

/**
 * Reads a macaroon that began here. `invalid_format`: it is no macaroon, or has a caveat that this service does not know, third-party ones
 * among them; `signature_invalid`: none of the root keys signed it, or it was changed since.
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

/** Whether the text is a macaroon that began with one of the keys, whatever its caveats say. */
export function isSignedByAny(rootKeys: readonly Subkey[], text: string): boolean {
  const macaroon = macaroonFromText(text);
  return macaroon !== null && rootKeys.some(({ key }) => isSignedBy(key, macaroon));
}

/** The macaroon with more caveats, as any holder could add them; null where that would be more than a macaroon may have. */
export function narrowMacaroon(text: string, caveats: readonly string[]): string | null {
  const held = macaroonFromText(text);
  if (held === null) return null;
  const narrowed = caveats.map((caveat) => Buffer.from(caveat)).reduce<Macaroon>(addCaveat, held);
  if (narrowed.caveats.length > maxCaveats || narrowed.caveats.some(({ length }) => length > maxCaveatBytes)) return null;
  const narrowedText = macaroonToText(narrowed);
  return narrowedText.length > maxMacaroonLength ? null : narrowedText;
}
