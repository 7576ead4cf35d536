import { SignJWT } from "jose";
import { jwtShape } from "../credential-shape.ts";
import { claimsOf, factsOf } from "./claims.ts";
import { type ReadToken, type TokenFacts, unnarrowed } from "./facts.ts";
import type { TokenKeys } from "./jwk-set.ts";
import { canonicalJws, isValidSignature } from "./signature.ts";
import { parseStrictObject } from "./strict-json.ts";

/** Tokens of this service are shorter: 100 scopes, metadata and custom claims at their limits make some 48,000 characters. */
export const maxJwtChars = 65_536;

/** Signs a JWT with the current signing key. */
export async function mintJwt({ signer }: TokenKeys, facts: TokenFacts): Promise<string> {
  const { algorithm, kid, privateKey } = signer;
  const jwt = await new SignJWT(claimsOf(facts)).setProtectedHeader({ alg: algorithm, typ: "JWT", kid }).sign(privateKey);
  return canonicalJws(algorithm, jwt);
}

/**
 * Reads a JWT that one of the keys signed (RFC 8725). The algorithm is that of the key, whatever the header says. The header may contain
 * only `alg`, `typ` and `kid`: no `crit`, and no member that carries a key. Returns `signature_invalid` if this service did not sign the
 * JWT, and `invalid_format` if the text is not a JWT, or if this service would not have written its content.
 */
export function readJwt(keys: TokenKeys, text: string): ReadToken | "invalid_format" | "signature_invalid" {
  const parts = text.length > maxJwtChars ? null : jwtShape.exec(text);
  if (parts === null) return "invalid_format";
  const [, headerText = "", payloadText = "", signatureText = ""] = parts;
  const header = parseStrictObject(Buffer.from(headerText, "base64url"));
  if (header === null) return "invalid_format";
  const { alg, typ, kid, ...others } = header;
  const key = typeof kid === "string" ? keys.byKid.get(kid) : undefined;
  if (key === undefined || alg !== key.algorithm || typ !== "JWT" || Object.keys(others).length > 0) return "signature_invalid";
  const signature = Buffer.from(signatureText, "base64url");
  // Several texts can decode to the same signature. Only one of them is accepted, so that a token has one text.
  if (signature.toString("base64url") !== signatureText) return "signature_invalid";
  if (!isValidSignature(key.algorithm, key.publicKey, `${headerText}.${payloadText}`, signature)) return "signature_invalid";

  const claims = parseStrictObject(Buffer.from(payloadText, "base64url"));
  const facts = claims === null ? null : factsOf(claims);
  return facts === null ? "invalid_format" : { facts, narrowing: unnarrowed };
}

/** Reports whether the header names none of the keys. Then the JWT, if it is one, was signed elsewhere. */
export function namesNoKey(keys: TokenKeys, text: string): boolean {
  const kid = parseStrictObject(Buffer.from(text.split(".", 1)[0] as string, "base64url"))?.kid;
  return typeof kid !== "string" || !keys.byKid.has(kid);
}
