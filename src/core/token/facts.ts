import type { JsonObject } from "../key.ts";

/** What this service says in a derived token, JWT or macaroon. Times are whole seconds, as JWTs have them. */
export interface TokenFacts {
  /** `jti`: a ULID. */
  readonly tokenId: string;
  /** Ids of the tokens it was derived from, the one that was derived from the key first; empty where that is this one. */
  readonly chain: readonly string[];
  readonly issuer: string;
  readonly tenant: string;
  /** The key that everything began with, however long the chain. */
  readonly rootKeyId: string;
  /**
   * `key_first_revision`: the revision that key began with, which tells it from a later key with the same id. Null for issued keys, whose
   * ids are never used again, and in tokens of releases that did not write it.
   */
  readonly rootFirstRevision: number | null;
  /** Empty: the key has none. */
  readonly actorId: string;
  readonly scopes: readonly string[];
  /** The key's, at the time of issue. */
  readonly metadata: JsonObject | null;
  /** Claims of the caller's own; none has the name of one of ours. */
  readonly customClaims: JsonObject;
  readonly issueTimeMs: number;
  readonly notBeforeMs: number;
  /** The token expires at this moment, not after it. */
  readonly expireTimeMs: number;
}

/** What holders added to a macaroon since. Everything here takes away; null and empty take nothing. A JWT cannot be narrowed offline. */
export interface TokenNarrowing {
  /** Of the issuer's scopes only these. */
  readonly scopes: readonly string[] | null;
  readonly notBeforeMs: number | null;
  readonly expireTimeMs: number | null;
  /** The client's address must lie in a range of each of the lists. */
  readonly clientCidrs: readonly (readonly string[])[];
  /** A verification must be for each of these audiences; two that differ can never be met. */
  readonly audiences: readonly string[];
}

export const unnarrowed: TokenNarrowing = { scopes: null, notBeforeMs: null, expireTimeMs: null, clientCidrs: [], audiences: [] };

/** A token whose signature was checked: what it says, before anything is judged. */
export interface ReadToken {
  readonly facts: TokenFacts;
  readonly narrowing: TokenNarrowing;
}

/** Names of claims that are this service's own, or a JWT's. */
export const reservedClaims: ReadonlySet<string> = new Set([
  ...["iss", "sub", "aud", "exp", "nbf", "iat", "jti"],
  ...["scope", "key_id", "key_first_revision", "actor_id", "metadata", "tenant", "chain"],
]);

/**
 * Whether custom claims may not have this name: a reader that ignores case, white space or the width of letters would take it for a reserved
 * one.
 */
export function isReservedClaim(name: string): boolean {
  const bare = name.normalize("NFKC").replace(/^[\p{White_Space}\p{C}]+|[\p{White_Space}\p{C}]+$/gu, "");
  // Upper case first: some letters, as the dotless i, have a partner in the other case that does not lead back.
  return reservedClaims.has(bare.toUpperCase().toLowerCase());
}

/** Longest chain: a token at its end cannot be derived from. */
export const maxChainLength = 8;
