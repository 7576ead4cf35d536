import { hash } from "node:crypto";
import { createBoundedMemory } from "../bounded-memory.ts";
import type { TokenClaim } from "../credential.ts";
import { isLive, type Subkey } from "../subkeys.ts";
import { bindingCaveats } from "./caveat.ts";
import type { ReadToken, TokenFacts, TokenNarrowing } from "./facts.ts";
import type { TokenKeys } from "./jwk-set.ts";
import { mintJwt, namesNoKey, readJwt } from "./jwt.ts";
import { isSignedByAny, mintMacaroon, narrowMacaroon, readMacaroon } from "./macaroon.ts";
import { canonicalMacaroonText } from "./macaroon-format.ts";

export interface Tokens {
  /** `iss` of the tokens. */
  readonly issuer: string;
  /** How many signatures were checked, and how many were known from before. */
  readonly signatures: { readonly checked: number; readonly remembered: number };
  /** The claim that a token makes, or why it can make none. Costs a signature check, for a token that was seen lately one SHA-256; no I/O. */
  claim(tenant: string, type: TokenClaim["type"], text: string, nowMs: number): TokenClaim | TokenRefusal;
  /**
   * Whether a text that makes no claim was not made here: a JWT that names none of the signing keys, or a macaroon that none of the root keys
   * signed, live or not. What names one of the keys was, or pretends to be.
   */
  isForeign(type: TokenClaim["type"], text: string): boolean;
  mintJwt(facts: TokenFacts): Promise<string>;
  /** A macaroon that is bound to the same clients and audiences; null where it would be too long. */
  mintMacaroon(facts: TokenFacts, narrowing: TokenNarrowing): string | null;
}

/** `not_found`: it was issued for another tenant, or by another issuer with the same keys. */
export type TokenRefusal = "invalid_format" | "signature_invalid" | "not_found";

export interface TokensOptions {
  readonly issuer: string;
  readonly keys: () => TokenKeys;
  /** The first one signs. */
  readonly macaroonKeys: readonly [Subkey, ...Subkey[]];
}

interface CheckedToken {
  readonly token: ReadToken;
  readonly chars: number;
}

/** By the characters of the tokens: some ten thousand of a usual size. What is kept of each is some three times that. */
const rememberedChars = 8_388_608;

export function createTokens({ issuer, keys, macaroonKeys }: TokensOptions): Tokens {
  /** Tokens whose signature fits, by the keys it was held against and the token's digest. What they say is judged each time. */
  const checked = createBoundedMemory<CheckedToken>(rememberedChars, ({ chars }) => chars);

  const signatures = { checked: 0, remembered: 0 };

  const remembered = (keysName: string, text: string, read: () => ReadToken | TokenRefusal): ReadToken | TokenRefusal => {
    const name = keysName + hash("sha256", text, "base64url");
    const known = checked.get(name);
    if (known !== undefined) {
      signatures.remembered += 1;
      return known.token;
    }
    signatures.checked += 1;
    const token = read();
    if (typeof token !== "string") checked.set(name, { token, chars: text.length });
    return token;
  };

  const readAny = (type: TokenClaim["type"], text: string, nowMs: number) => {
    if (type === "jwt") {
      const jwtKeys = keys();
      return remembered(jwtKeys.version, text, () => readJwt(jwtKeys, text));
    }
    const liveKeys = macaroonKeys.filter((key) => isLive(key, nowMs));
    // Keys only ever leave, so that their number tells which ones there are.
    const canonicalText = canonicalMacaroonText(text);
    return canonicalText === null
      ? "invalid_format"
      : remembered(`${liveKeys.length}`, canonicalText, () => readMacaroon(liveKeys, canonicalText));
  };

  return {
    issuer,
    signatures,

    isForeign: (type, text) => (type === "jwt" ? namesNoKey(keys(), text) : !isSignedByAny(macaroonKeys, text)),

    claim(tenant, type, text, nowMs) {
      const token = readAny(type, text, nowMs);
      if (typeof token === "string") return token;
      const { facts } = token;
      if (facts.issuer !== issuer || facts.tenant !== tenant) return "not_found";
      return { type, keyIds: [facts.rootKeyId], token };
    },

    mintJwt: (facts) => mintJwt(keys(), facts),
    mintMacaroon: (facts, narrowing) => narrowMacaroon(mintMacaroon(macaroonKeys[0], facts), bindingCaveats(narrowing)),
  };
}
