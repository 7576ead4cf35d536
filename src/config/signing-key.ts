import { calculateJwkThumbprint, exportJWK, generateKeyPair } from "jose";
import { MalformedJwkSetsError, readJwkSets } from "../core/token/jwk-set.ts";
import type { JwtAlgorithm } from "../core/token/signature.ts";
import { MalformedError } from "./parsers.ts";

/** Returns a JWK Set with one new private key, named by its thumbprint (RFC 7638): Ed25519 (RFC 8037), P-256 or RSA with 3072 bits. */
export async function generateJwkSet(algorithm: JwtAlgorithm = "EdDSA"): Promise<string> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true, modulusLength: 3072 });
  const jwk = await exportJWK(privateKey);
  const key = { ...jwk, kid: await calculateJwkThumbprint(jwk), alg: algorithm, use: "sig" };
  return JSON.stringify({ keys: [key] }, null, 2);
}

/** Rejects with MalformedError if `text` is not a JWK Set that can sign JWTs. */
export async function checkJwkSet(text: string): Promise<void> {
  await readJwkSets([text]).catch((error: unknown) => {
    throw error instanceof MalformedJwkSetsError ? new MalformedError(error.message) : error;
  });
}
