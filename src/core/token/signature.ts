import { type KeyObject, verify } from "node:crypto";

/** `alg` of JWTs (RFC 7518, RFC 8037), one for each type of key. */
export const jwtAlgorithms = ["EdDSA", "ES256", "RS256"] as const;
export type JwtAlgorithm = (typeof jwtAlgorithms)[number];

/** Whether a JWS signature over `input` was made with the key. Synchronous, because the thread pool adds CPU time to the check (bench/micro.ts). */
export function signatureFits(algorithm: JwtAlgorithm, publicKey: KeyObject, input: string, signature: Uint8Array): boolean {
  const bytes = Buffer.from(input);
  switch (algorithm) {
    case "EdDSA":
      return verify(null, bytes, publicKey, signature);
    case "ES256":
      return verify("sha256", bytes, { key: publicKey, dsaEncoding: "ieee-p1363" }, signature);
    case "RS256":
      return verify("sha256", bytes, publicKey, signature);
  }
}
