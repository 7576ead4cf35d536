import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from "jose";
import { Malformed } from "./parsers.ts";

/** A JWK Set with a new Ed25519 private key (RFC 8037), named by its thumbprint (RFC 7638). */
export async function generateJwkSet(): Promise<string> {
  const { privateKey } = await generateKeyPair("EdDSA", { extractable: true });
  const jwk = await exportJWK(privateKey);
  const key = { ...jwk, kid: await calculateJwkThumbprint(jwk), alg: "EdDSA", use: "sig" };
  return JSON.stringify({ keys: [key] }, null, 2);
}

/** Throws Malformed where `text` is no JWK Set of private keys, each with `kid` and `alg`. */
export async function checkJwkSet(text: string): Promise<void> {
  const keys = keysOf(text);
  if (keys.length === 0) throw new Malformed("must be a JWK Set with at least one key");
  for (const [index, key] of keys.entries()) {
    if (typeof key?.kid !== "string" || typeof key.alg !== "string" || typeof key.d !== "string") {
      throw new Malformed(`key ${index + 1} must be a private key with kid and alg`);
    }
    // The error of jose may quote the key.
    const usable = await importJWK(key, key.alg).then(
      () => true,
      () => false,
    );
    if (!usable) throw new Malformed(`key ${index + 1} is no valid JWK`);
  }
}

function keysOf(text: string): (JWK | null)[] {
  try {
    const { keys } = JSON.parse(text) as { keys?: unknown };
    return Array.isArray(keys) ? keys : [];
  } catch {
    return [];
  }
}
