import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from "node:crypto";
import type { Macaroon } from "./macaroon-format.ts";

/**
 * A new macaroon without caveats. The root key is used as it is (`macaroon_create_raw` of libmacaroons): the derivation that other functions
 * put before it turns passwords into keys, and ours is a key already. Holders do not notice, since they go on from the signature.
 */
export function signIdentifier(rootKey: KeyObject, identifier: Uint8Array): Macaroon {
  return { identifier, caveats: [], signature: hmac(rootKey, identifier) };
}

/** What any holder can do: the new signature is made with the old one as the key, which then is gone. */
export function addCaveat(macaroon: Macaroon, caveat: Uint8Array): Macaroon {
  return { ...macaroon, caveats: [...macaroon.caveats, caveat], signature: hmac(createSecretKey(macaroon.signature), caveat) };
}

/** Whether this root key signed the identifier, and whoever held the macaroon the caveats, in this order and none is missing. */
export function isSignedBy(rootKey: KeyObject, { identifier, caveats, signature }: Macaroon): boolean {
  const expected = caveats.reduce<Buffer>((link, caveat) => hmac(createSecretKey(link), caveat), hmac(rootKey, identifier));
  return expected.length === signature.length && timingSafeEqual(expected, signature);
}

function hmac(key: KeyObject, message: Uint8Array): Buffer {
  return createHmac("sha256", key).update(message).digest();
}
