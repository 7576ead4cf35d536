import type { JsonObject } from "../key.ts";

/** Times in tokens are whole seconds, as JWTs have them. */
export const msPerSecond = 1000;

/** The statements of this service in a derived token, a JWT or a macaroon. */
export interface TokenFacts {
  /** `jti`: a ULID. */
  readonly tokenId: string;
  /** Ids of the tokens that it was derived from, oldest first. Empty if it was derived from a key. */
  readonly chain: readonly string[];
  readonly issuer: string;
  readonly tenant: string;
  /** The key at the beginning of the chain. */
  readonly rootKeyId: string;
  /**
   * `key_first_revision`: the first revision of the root key. It distinguishes the key from a later key with the same id. Null for issued
   * keys, whose ids are never used again, and in tokens of releases that did not write it.
   */
  readonly rootFirstRevision: number | null;
  /** Empty: the key has no actor. */
  readonly actorId: string;
  readonly scopes: readonly string[];
  /** The metadata of the key at the time of issue. */
  readonly metadata: JsonObject | null;
  /** Claims that the caller chose. None has the name of a reserved claim. */
  readonly customClaims: JsonObject;
  readonly issueTimeMs: number;
  readonly notBeforeMs: number;
  /** The token expires at this moment, not after it. */
  readonly expireTimeMs: number;
}

/** The restrictions that holders of a macaroon added to it. Null and empty restrict nothing. A JWT cannot be narrowed offline. */
export interface TokenNarrowing {
  /** The scopes of the issuer that are left. */
  readonly scopes: readonly string[] | null;
  readonly notBeforeMs: number | null;
  readonly expireTimeMs: number | null;
  /** The end user's address must be in a range of every list. */
  readonly clientCidrs: readonly (readonly string[])[];
  /** A verification must be for each of these audiences. With two different ones the token is never valid. */
  readonly audiences: readonly string[];
}

export const unnarrowed: TokenNarrowing = { scopes: null, notBeforeMs: null, expireTimeMs: null, clientCidrs: [], audiences: [] };

/** The content of a token with a valid signature. Nothing in it is judged yet. */
export interface ReadToken {
  readonly facts: TokenFacts;
  readonly narrowing: TokenNarrowing;
}

/** Names of the claims that this service or the JWT standard defines. */
export const reservedClaims: ReadonlySet<string> = new Set([
  ...["iss", "sub", "aud", "exp", "nbf", "iat", "jti"],
  ...["scope", "key_id", "key_first_revision", "actor_id", "metadata", "tenant", "chain"],
]);

/**
 * Reports whether custom claims must not have this name: a reader that ignores case, white space or the width of letters would take it for
 * a reserved one.
 */
export function isReservedClaim(name: string): boolean {
  const bare = name.normalize("NFKC").replace(/^[\p{White_Space}\p{C}]+|[\p{White_Space}\p{C}]+$/gu, "");
  // To upper case first: some lower-case letters, such as the dotless i, become a different letter on the way back.
  return reservedClaims.has(bare.toUpperCase().toLowerCase());
}

/** Maximum length of a chain. Nothing can be derived from a token at its end. */
export const maxChainLength = 8;
