import { createPublicKey, type KeyObject } from "node:crypto";
import { CompactSign, type CryptoKey, calculateJwkThumbprint, importJWK } from "jose";
import type { JsonObject } from "../key.ts";
import { canonicalJws, isValidSignature, type JwtAlgorithm } from "./signature.ts";

/** A key of a JWK Set, ready for use. */
export interface TokenKey {
  /** The `kid` of the JWK. If it has none, its thumbprint (RFC 7638). */
  readonly kid: string;
  /** The only algorithm for this key. The type of the key decides it, never a token. */
  readonly algorithm: JwtAlgorithm;
  readonly publicKey: KeyObject;
  /** Null for a public key, which only verifies. */
  readonly privateKey: CryptoKey | null;
  /** The JWK is marked with `"retired": true`: it only verifies, although it is private. */
  readonly isRetired: boolean;
  /** The JWK as it is published. */
  readonly publicJwk: JsonObject;
}

/** A problem of a JWK. Never quotes it. */
export class MalformedJwkError extends Error {}

const minRsaBits = 2048;
/** With larger keys, one signature check would take too much CPU. */
const maxRsaBits = 8192;
/** F4, the lowest that FIPS 186-5 allows. */
const minRsaExponent = 65_537n;
const publicMembers = ["kty", "crv", "x", "y", "n", "e"];
const privateMembers = ["d", "p", "q", "dp", "dq", "qi"];

/** Reads one key of a JWK Set. Rejects with MalformedJwkError if it cannot sign or verify JWTs here. */
export async function readJwk(jwk: unknown): Promise<TokenKey> {
  if (!isObject(jwk)) throw new MalformedJwkError("must be a JSON Web Key (RFC 7517)");
  if (jwk.kty === "oct") throw new MalformedJwkError("must not be a symmetric key, whose public half would be the key itself");
  const algorithm = algorithmOf(jwk);
  if (algorithm === null) throw new MalformedJwkError("must be an Ed25519, P-256 or RSA key");
  if (jwk.alg !== undefined && jwk.alg !== algorithm) throw new MalformedJwkError(`alg must be ${algorithm} for a key of this type`);
  if (jwk.use !== undefined && jwk.use !== "sig") throw new MalformedJwkError("use must be sig");
  if (jwk.kid !== undefined && (typeof jwk.kid !== "string" || !/^[\x21-\x7e]{1,255}$/.test(jwk.kid))) {
    throw new MalformedJwkError("kid must be 1 to 255 visible ASCII characters");
  }
  if (jwk.retired !== undefined && typeof jwk.retired !== "boolean") throw new MalformedJwkError("retired must be true or false");
  const isPrivate = jwk.d !== undefined;
  const operation = isPrivate ? "sign" : "verify";
  if (jwk.key_ops !== undefined && !(Array.isArray(jwk.key_ops) && jwk.key_ops.includes(operation))) {
    throw new MalformedJwkError(`key_ops must include ${operation}`);
  }

  const publicKey = publicKeyOf(jwk);
  if (algorithm === "RS256") checkRsa(publicKey);
  const bare = publicKey.export({ format: "jwk" }) as JsonObject;
  const kid = (jwk.kid as string | undefined) ?? (await calculateJwkThumbprint(bare));
  return {
    kid,
    algorithm,
    publicKey,
    privateKey: isPrivate ? await privateKeyOf(jwk, algorithm, publicKey) : null,
    isRetired: jwk.retired === true,
    publicJwk: { ...bare, kid, alg: algorithm, use: "sig" },
  };
}

function algorithmOf({ kty, crv }: Record<string, unknown>): JwtAlgorithm | null {
  if (kty === "OKP" && crv === "Ed25519") return "EdDSA";
  if (kty === "EC" && crv === "P-256") return "ES256";
  return kty === "RSA" ? "RS256" : null;
}

function publicKeyOf(jwk: Record<string, unknown>): KeyObject {
  try {
    return createPublicKey({ key: pick(jwk, publicMembers), format: "jwk" });
  } catch {
    // The error may quote the key.
    throw new MalformedJwkError("is not a valid JSON Web Key");
  }
}

function checkRsa({ asymmetricKeyDetails: details }: KeyObject): void {
  const bits = details?.modulusLength ?? 0;
  if (bits < minRsaBits || bits > maxRsaBits) throw new MalformedJwkError(`must have a modulus of ${minRsaBits} to ${maxRsaBits} bits`);
  if ((details?.publicExponent ?? 0n) < minRsaExponent)
    throw new MalformedJwkError(`must have a public exponent of ${minRsaExponent} or more`);
}

/** Signs once, so that private and public members that do not match are found now, and not by verifiers. */
async function privateKeyOf(jwk: Record<string, unknown>, algorithm: JwtAlgorithm, publicKey: KeyObject): Promise<CryptoKey> {
  let key: CryptoKey;
  let signed: string;
  try {
    key = (await importJWK(pick(jwk, [...publicMembers, ...privateMembers]), algorithm)) as CryptoKey;
    signed = canonicalJws(algorithm, await new CompactSign(Buffer.from("probe")).setProtectedHeader({ alg: algorithm }).sign(key));
  } catch {
    throw new MalformedJwkError("is not a valid JSON Web Key");
  }
  const end = signed.lastIndexOf(".");
  const signature = Buffer.from(signed.slice(end + 1), "base64url");
  if (!isValidSignature(algorithm, publicKey, signed.slice(0, end), signature)) {
    throw new MalformedJwkError("has private and public members that do not match");
  }
  return key;
}

function pick(jwk: Record<string, unknown>, names: readonly string[]): Record<string, string> {
  const members = Object.entries(jwk).filter(
    (member): member is [string, string] => names.includes(member[0]) && typeof member[1] === "string",
  );
  return Object.fromEntries(members);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
