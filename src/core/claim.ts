import { type Claim, type Credentials, isClaim, kindOf, type Refused } from "./credential.ts";
import type { Tokens } from "./token/tokens.ts";
import type { RefusalCode } from "./verdict.ts";

/** What tells credentials apart. */
export interface ClaimSources {
  readonly credentials: Pick<Credentials, "parse" | "importedClaim">;
  readonly tokens: Pick<Tokens, "claim" | "isForeign">;
}

/**
 * What a presented string claims to be, or its refusal where no record could change that. No I/O.
 *
 * Other systems have keys that look like our tokens. So a token that was not made here is a claim of an imported key; only if no such key is
 * found is it refused as the token that it looks like.
 */
export function claimOf({ credentials, tokens }: ClaimSources, tenant: string, text: string, nowMs: number): Claim | Refused {
  const presented = credentials.parse(tenant, text, nowMs);
  if (isClaim(presented)) return presented;
  const kind = kindOf(presented);
  if (presented.type !== "jwt" && presented.type !== "macaroon") return { kind, code: codeWithoutLookUp[presented.type] };
  const claim = tokens.claim(tenant, presented.type, text, nowMs);
  if (typeof claim !== "string") return claim;
  const refused = { kind, code: claim };
  // The length first: no imported key is as long as a token may be.
  const imported = credentials.importedClaim(tenant, text, refused);
  return imported !== null && tokens.isForeign(presented.type, text) ? imported : refused;
}

export function isRefused(answer: Claim | Refused): answer is Refused {
  return "code" in answer;
}

/**
 * Whether this may turn out to be a guess: it can be a credential, and no tag or signature of ours vouches for it. Imported keys have to be
 * looked up before that is known, whatever they look like. An issued key has a tag and a derived token a signature, which nobody can guess; a
 * refused one that was made here, such as a token of another tenant, is no guess.
 */
export function mayBeGuess(claim: Claim | Refused): boolean {
  if (!isRefused(claim)) return claim.type === "imported";
  return claim.kind === "issued" || claim.code === "signature_invalid";
}

/** Why a claim is refused that no record fits. */
export function withoutRecord(claim: Claim): Refused {
  return (claim.type === "imported" ? claim.unlessImported : undefined) ?? { kind: claim.type, code: "not_found" };
}

const codeWithoutLookUp = { forged: "not_found", unreadable: "invalid_format" } as const satisfies Record<string, RefusalCode>;
