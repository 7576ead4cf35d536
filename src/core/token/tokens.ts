import { hash } from "node:crypto";
import { createBoundedMemory } from "../bounded-memory.ts";
import type { TokenClaim } from "../credential.ts";
import type { ReadToken, TokenFacts } from "./facts.ts";
import type { TokenKeys } from "./jwk-set.ts";
import { mintJwt, readJwt } from "./jwt.ts";

export interface Tokens {
  /** `iss` of the tokens. */
  readonly issuer: string;
  /** The claim that a token makes, or why it can make none. Costs a signature check, for a token that was seen lately one SHA-256; no I/O. */
  claim(tenant: string, type: TokenClaim["type"], text: string): TokenClaim | TokenRefusal;
  mintJwt(facts: TokenFacts): Promise<string>;
}

/** `not_found`: it was issued for another tenant, or by another issuer with the same keys. */
export type TokenRefusal = "invalid_format" | "signature_invalid" | "not_found";

export interface TokensOptions {
  readonly issuer: string;
  readonly keys: () => TokenKeys;
}

interface CheckedToken {
  readonly token: ReadToken;
  readonly chars: number;
}

/** By the characters of the tokens: some ten thousand of a usual size. What is kept of each is some three times that. */
const rememberedChars = 8_388_608;

export function createTokens({ issuer, keys }: TokensOptions): Tokens {
  /** Tokens whose signature fits, by what it was checked with and the token's digest. What they say is judged each time. */
  const checked = createBoundedMemory<CheckedToken>(rememberedChars, ({ chars }) => chars);

  const read = (text: string): ReadToken | TokenRefusal => {
    const tokenKeys = keys();
    const name = `${tokenKeys.version}${hash("sha256", text, "base64url")}`;
    const known = checked.get(name);
    if (known !== undefined) return known.token;
    const token = readJwt(tokenKeys, text);
    if (typeof token !== "string") checked.set(name, { token, chars: text.length });
    return token;
  };

  return {
    issuer,

    claim(tenant, type, text) {
      const token = type === "jwt" ? read(text) : "signature_invalid";
      if (typeof token === "string") return token;
      const { facts } = token;
      if (facts.issuer !== issuer || facts.tenant !== tenant) return "not_found";
      return { type, keyIds: [facts.rootKeyId], token };
    },

    mintJwt: (facts) => mintJwt(keys(), facts),
  };
}
