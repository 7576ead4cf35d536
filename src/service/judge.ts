import type { CacheOutcome } from "../cache/reading.ts";
import type { Address } from "../core/address.ts";
import { type ClaimSources, claimOf, isRefused, mayBeGuess, withoutRecord } from "../core/claim.ts";
import type { Claim, Refused } from "../core/credential.ts";
import type { CredentialKind } from "../core/credential-shape.ts";
import type { JsonObject, KeyRecord, RateLimitPolicy } from "../core/key.ts";
import { decideToken, type TokenCircumstances } from "../core/token/token-verdict.ts";
import { decide, type RefusalCode, type Verdict } from "../core/verdict.ts";
import type { Clock } from "../ports/clock.ts";

/** A credential and what it is held against. */
export interface Verification {
  readonly credential: string;
  /** The end user's address: `clientIp`, or where the call comes from. Null: unknown. */
  readonly clientAddress: () => Address | null;
  /** The end user's address as the caller gave it; null if it gave none. */
  readonly clientIp: Address | null;
  readonly requiredScopes: readonly string[];
  /** Whom the credential is presented to. */
  readonly audience: string;
  /** Units of the key's rate limit. */
  readonly cost: number;
}

export interface Verified {
  readonly verdict: Verdict;
  /** What was presented. */
  readonly kind: CredentialKind;
  /** The credential is nobody's and may have been guessed: it can be a credential, and no tag or signature of ours vouches for it. */
  readonly isGuess: boolean;
  /** The moment the verdict was given for. */
  readonly nowMs: number;
  /** Null where no look-up was needed. */
  readonly cacheOutcome: CacheOutcome | null;
  /** What a derived token says beside what its key says; null for a key. */
  readonly customClaims: JsonObject | null;
  /** What is left of the key's rate limit, where it has one that is enforced and was asked. */
  readonly limit?: KeyLimit;
  /** Where a limit refused: when to come again; null for never. */
  readonly retryAfterMs?: number | null;
}

export interface KeyLimit {
  readonly policy: RateLimitPolicy;
  readonly remaining: bigint;
  /** When the whole quota will be there again. */
  readonly resetTimeMs: number;
  readonly resetAfterMs: number;
}

/** What comes before and after the look-up of a verification, whether it goes alone or in a batch. */
export interface Judge {
  /** The claim of what was presented, or the verdict where no record is needed for one. */
  claimOrVerdict(tenant: string, credential: string): Claim | Verified;
  /** The verdict over the record that fits the claim, null where there is none. */
  judge(claim: Claim, record: KeyRecord | null, cacheOutcome: CacheOutcome, verification: Verification): Verified;
}

export interface JudgeOptions extends ClaimSources {
  readonly clock: Clock;
  /** `rooted`: the key that a token goes back to is asked, and the token ends with it; `stateless`: the token stands for itself. */
  readonly derivedTokens: "rooted" | "stateless";
  readonly clockSkewMs: number;
}

export function createJudge(options: JudgeOptions): Judge {
  const { clock, derivedTokens, clockSkewMs } = options;
  const refused = (refusal: Refused): Verified => ({
    ...unverified(refusal.code, refusal.kind, clock()),
    isGuess: mayBeGuess(refusal),
  });

  const verdictOf = (claim: Claim, record: KeyRecord | null, circumstances: TokenCircumstances): Verdict => {
    if ("token" in claim && (record !== null || claim.keyIds.length === 0)) return decideToken(claim.token, record, circumstances);
    return record === null ? refuse(withoutRecord(claim).code) : decide(record, circumstances);
  };

  return {
    claimOrVerdict(tenant, credential) {
      const claim = claimOf(options, tenant, credential, clock());
      if (isRefused(claim)) return refused(claim);
      return "token" in claim && derivedTokens === "stateless" ? { ...claim, keyIds: [] } : claim;
    },

    judge(claim, record, cacheOutcome, { clientAddress, requiredScopes, audience }) {
      // The clock is read anew: the look-up may have taken a while, and a key that expired meanwhile is expired.
      const nowMs = clock();
      const verdict = verdictOf(claim, record, { nowMs, clientAddress, requiredScopes, clockSkewMs, audience });
      return {
        verdict,
        kind: record === null ? withoutRecord(claim).kind : claim.type,
        isGuess: record === null && mayBeGuess(claim),
        nowMs,
        cacheOutcome: claim.keyIds.length === 0 ? null : cacheOutcome,
        customClaims: "token" in claim ? claim.token.facts.customClaims : null,
      };
    },
  };
}

export function isVerified(answer: Claim | Verified): answer is Verified {
  return "verdict" in answer;
}

/** The answer for a credential whose key was not looked at. */
export function unverified(code: RefusalCode, kind: CredentialKind, nowMs: number): Verified {
  return { verdict: refuse(code), kind, isGuess: false, nowMs, cacheOutcome: null, customClaims: null };
}

function refuse(code: RefusalCode): Verdict {
  return { isValid: false, code, record: null };
}
