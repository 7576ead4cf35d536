import { type KeyObject, verify } from "node:crypto";

/** The `alg` of JWTs (RFC 7518, RFC 8037), one for each type of key. */
export const jwtAlgorithms = ["EdDSA", "ES256", "RS256"] as const;
export type JwtAlgorithm = (typeof jwtAlgorithms)[number];

/** Order of the group of P-256 (FIPS 186-5). */
const p256Order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const p256Bytes = 32;

/**
 * Reports whether a JWS signature over `input` was made with the key. Synchronous: a trip through the thread pool adds to the cost of the
 * check (bench/micro.ts). For every ECDSA signature (r, s), (r, n - s) is valid too, and anybody can compute it. Only the one with the
 * lower s is accepted, so that a token has one text.
 */
export function isValidSignature(algorithm: JwtAlgorithm, publicKey: KeyObject, input: string, signature: Uint8Array): boolean {
  const bytes = Buffer.from(input);
  switch (algorithm) {
    case "EdDSA":
      return verify(null, bytes, publicKey, signature);
    case "ES256":
      return hasLowS(signature) && verify("sha256", bytes, { key: publicKey, dsaEncoding: "ieee-p1363" }, signature);
    case "RS256":
      return verify("sha256", bytes, publicKey, signature);
  }
}

/** The JWS with the form of its signature that `isValidSignature` accepts. Libraries that sign with ES256 return either form. */
export function canonicalJws(algorithm: JwtAlgorithm, jws: string): string {
  if (algorithm !== "ES256") return jws;
  const end = jws.lastIndexOf(".");
  const signature = Buffer.from(jws.slice(end + 1), "base64url");
  if (hasLowS(signature)) return jws;
  const low = (p256Order - sOf(signature)).toString(16).padStart(2 * p256Bytes, "0");
  return `${jws.slice(0, end)}.${Buffer.concat([signature.subarray(0, p256Bytes), Buffer.from(low, "hex")]).toString("base64url")}`;
}

function hasLowS(signature: Uint8Array): boolean {
  return signature.length === 2 * p256Bytes && sOf(signature) <= p256Order / 2n;
}

function sOf(signature: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(signature.subarray(p256Bytes)).toString("hex")}`);
}
