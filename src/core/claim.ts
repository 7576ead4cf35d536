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

/** Why a claim is refused that no record fits. */
export function withoutRecord(claim: Claim): Refused {
  return (claim.type === "imported" ? claim.unlessImported : undefined) ?? { kind: claim.type, code: "not_found" };
}

const codeWithoutLookUp = { forged: "not_found", unreadable: "invalid_format" } as const satisfies Record<string, RefusalCode>;
