import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from "node:crypto";
import type { Macaroon } from "./macaroon-format.ts";

/**
 * Makes a macaroon without caveats. The root key is used as it is (`macaroon_create_raw` of libmacaroons). Other functions of the library
 * first derive a key from it, for roots that are passwords, and ours is already a key. Holders are not affected, since they continue from
 * the signature.
 */
export function signIdentifier(rootKey: KeyObject, identifier: Uint8Array): Macaroon {
  return { identifier, caveats: [], signature: hmac(rootKey, identifier) };
}

/** Adds a caveat, as any holder can. The old signature is the key of the new one, and is not part of the result. */
export function addCaveat(macaroon: Macaroon, caveat: Uint8Array): Macaroon {
  return { ...macaroon, caveats: [...macaroon.caveats, caveat], signature: hmac(createSecretKey(macaroon.signature), caveat) };
}

/** Reports whether this root key signed the identifier, and holders of the macaroon the caveats, in this order and without gaps. */
export function isSignedBy(rootKey: KeyObject, { identifier, caveats, signature }: Macaroon): boolean {
  const expected = caveats.reduce<Buffer>((link, caveat) => hmac(createSecretKey(link), caveat), hmac(rootKey, identifier));
  return expected.length === signature.length && timingSafeEqual(expected, signature);
}

function hmac(key: KeyObject, message: Uint8Array): Buffer {
  return createHmac("sha256", key).update(message).digest();
}
