import { hash } from "node:crypto";
import type { CryptoKey } from "jose";
import type { JsonObject } from "../key.ts";
import { MalformedJwkError, readJwk, type TokenKey } from "./jwk.ts";

/** The keys of all configured JWK Sets at one time. */
export interface TokenKeys {
  /** Differs between different sets. Results for one version say nothing about another. */
  readonly version: string;
  /** The first private key, in the order of the sets and the keys in them, that is not marked as retired. */
  readonly signer: TokenKey & { readonly privateKey: CryptoKey };
  readonly byKid: ReadonlyMap<string, TokenKey>;
  /** The public JWKs in the same order. */
  readonly published: readonly JsonObject[];
}

/** Everything that is wrong with JWK Sets, such as `item 2, key 1 must ...`. Never quotes a set. */
export class MalformedJwkSetsError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("; "));
    this.problems = problems;
  }
}

const maxKeys = 100;

/** Reads one or more JWK Sets (RFC 7517) that are used together. Rejects with MalformedJwkSetsError. */
export async function readJwkSets(texts: readonly string[]): Promise<TokenKeys> {
  const problems: string[] = [];
  const keys: TokenKey[] = [];
  for (const [index, text] of texts.entries()) {
    const set = texts.length > 1 ? `item ${index + 1}` : "";
    keys.push(
      ...(await readJwkSet(text, (place, problem) => problems.push([[set, place].filter(Boolean).join(", "), problem].join(" ").trim()))),
    );
  }
  const byKid = new Map(keys.map((key) => [key.kid, key]));
  if (byKid.size < keys.length) problems.push("has two keys with the same kid");
  const signer = keys.find(canSign);
  if (signer === undefined && problems.length === 0) problems.push("has no private key to sign with: all are marked as retired");
  if (problems.length > 0 || signer === undefined) throw new MalformedJwkSetsError(problems);
  const published = keys.map(({ publicJwk }) => publicJwk);
  return { version: hash("sha256", JSON.stringify(published), "base64url"), signer, byKid, published };
}

async function readJwkSet(text: string, report: (place: string, problem: string) => void): Promise<TokenKey[]> {
  const jwks = membersOf(text);
  if (jwks === null || jwks.length === 0 || jwks.length > maxKeys) {
    report("", `must be a JWK Set (RFC 7517) of 1 to ${maxKeys} keys`);
    return [];
  }
  const keys: TokenKey[] = [];
  for (const [index, jwk] of jwks.entries()) {
    try {
      keys.push(await readJwk(jwk));
    } catch (error) {
      if (!(error instanceof MalformedJwkError)) throw error;
      report(`key ${index + 1}`, error.message);
    }
  }
  if (keys.length === jwks.length && keys.every(({ privateKey }) => privateKey === null)) report("", "has no private key");
  return keys;
}

function membersOf(text: string): unknown[] | null {
  try {
    const { keys } = JSON.parse(text) as { keys?: unknown };
    return Array.isArray(keys) ? keys : null;
  } catch {
    return null;
  }
}

function canSign(key: TokenKey): key is TokenKeys["signer"] {
  return key.privateKey !== null && !key.isRetired;
}
