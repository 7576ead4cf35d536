import { hash } from "node:crypto";
import { createBoundedMemory } from "../bounded-memory.ts";
import type { PresentedToken } from "../credential.ts";
import { isLive, type Subkey } from "../subkeys.ts";
import { bindingCaveats } from "./caveat.ts";
import { isLeftOfToken } from "./damaged-token.ts";
import type { ReadToken, TokenFacts, TokenNarrowing } from "./facts.ts";
import type { TokenKeys } from "./jwk-set.ts";
import { mintJwt, namesNoKey, readJwt } from "./jwt.ts";
import { isSignedByAny, mintMacaroon, narrowMacaroon, readMacaroon } from "./macaroon.ts";
import { canonicalMacaroonText } from "./macaroon-format.ts";

export interface Tokens {
  /** The `iss` of the tokens of a tenant. */
  issuerOf(tenant: string): string;
  /** How many signatures were checked, and how many checks were saved because the token was seen before. */
  readonly signatures: { readonly checked: number; readonly remembered: number };
  /**
   * Reads a token. Returns a refusal if it is not valid here. Costs a signature check, or one SHA-256 for a token that was seen recently.
   * No I/O.
   */
  read(tenant: string, type: PresentedToken["type"], text: string, nowMs: number): PresentedToken | TokenRefusal;
  /**
   * Reports whether a refused text was not made here: a JWT that names none of the signing keys, or a macaroon that none of the root keys
   * signed, expired ones included. A text that names one of the keys was made here, or pretends to be.
   */
  isForeign(type: PresentedToken["type"], text: string): boolean;
  /** Reports whether a text is what is left of a token that was made here. Slower than `isForeign`, and for imports only. */
  isDamagedToken(tenant: string, text: string): boolean;
  mintJwt(facts: TokenFacts): Promise<string>;
  /** Makes a macaroon that is bound to the same clients and audiences. Returns null if it would be too long. */
  mintMacaroon(facts: TokenFacts, narrowing: TokenNarrowing): string | null;
}

/** `not_found`: the token is for another tenant, or from another issuer with the same keys. */
export type TokenRefusal = "invalid_format" | "signature_invalid" | "not_found";

export interface TokensOptions {
  /** The `iss` of the tokens. */
  readonly issuer: string;
  /** The `iss` of tokens of a tenant with its own issuer; otherwise empty. */
  readonly tenantIssuer?: ((tenant: string) => string) | undefined;
  readonly keys: () => TokenKeys;
  /** The first key signs. */
  readonly macaroonKeys: readonly [Subkey, ...Subkey[]];
}

interface CheckedToken {
  readonly token: ReadToken;
  readonly chars: number;
}

/**
 * Characters of the tokens to remember: some ten thousand tokens of usual size. A remembered token takes some three times its characters.
 */
const rememberedChars = 8_388_608;

export function createTokens({ issuer, tenantIssuer, keys, macaroonKeys }: TokensOptions): Tokens {
  const issuerOf = (tenant: string): string => tenantIssuer?.(tenant) || issuer;
  /**
   * Tokens with a valid signature, by the keys that checked it and the digest of the token. Their content is judged in every verification.
   */
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

  const readAny = (type: PresentedToken["type"], text: string, nowMs: number) => {
    if (type === "jwt") {
      const jwtKeys = keys();
      return remembered(jwtKeys.version, text, () => readJwt(jwtKeys, text));
    }
    const liveKeys = macaroonKeys.filter((key) => isLive(key, nowMs));
    // Keys only expire and none is added, so their number identifies those that are left.
    const canonicalText = canonicalMacaroonText(text);
    return canonicalText === null
      ? "invalid_format"
      : remembered(`${liveKeys.length}`, canonicalText, () => readMacaroon(liveKeys, canonicalText));
  };

  return {
    issuerOf,
    signatures,

    isForeign: (type, text) => (type === "jwt" ? namesNoKey(keys(), text) : !isSignedByAny(macaroonKeys, text)),

    isDamagedToken: (tenant, text) => isLeftOfToken(text, { kids: keys().byKid.keys(), issuers: [issuerOf(tenant), issuer] }),

    read(tenant, type, text, nowMs) {
      const token = readAny(type, text, nowMs);
      if (typeof token === "string") return token;
      const { facts } = token;
      if (facts.issuer !== issuerOf(tenant) || facts.tenant !== tenant) return "not_found";
      return { type, keyIds: [facts.rootKeyId], token };
    },

    mintJwt: (facts) => mintJwt(keys(), facts),
    mintMacaroon: (facts, narrowing) => narrowMacaroon(mintMacaroon(macaroonKeys[0], facts), bindingCaveats(narrowing)),
  };
}
