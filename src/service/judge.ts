import type { CacheOutcome } from "../cache/reading.ts";
import type { Address } from "../core/address.ts";
import type { PresentedCredential, Refused } from "../core/credential.ts";
import type { CredentialKind } from "../core/credential-shape.ts";
import type { JsonObject, KeyRecord, RateLimitPolicy } from "../core/key.ts";
import { type CredentialReaders, isRefused, mayBeGuess, readCredential, refusalWithoutRecord } from "../core/read-credential.ts";
import { tenantStartMs } from "../core/tenant.ts";
import { decideToken, isIssuedAfter, type TokenCircumstances } from "../core/token/token-verdict.ts";
import { decide, type RefusalCode, type Verdict } from "../core/verdict.ts";
import type { Clock } from "../ports/clock.ts";
import type { TenantSettings } from "./tenants/tenant-settings.ts";

/** A credential, and what it is verified against. */
export interface Verification {
  readonly credential: string;
  /** The end user's address: the stated one, or else the address that the call came from. Null: unknown. */
  readonly endUserAddress: () => Address | null;
  /** The end user's address as the caller stated it in `client_ip`. Null if it stated none. */
  readonly statedAddress: Address | null;
  readonly requiredScopes: readonly string[];
  /** The audience that the credential is presented to. Null: any. */
  readonly audience: string | null;
  /** The cost in units of the key's rate limit. */
  readonly cost: number;
}

export interface Verified {
  readonly verdict: Verdict;
  /** The kind of the presented credential. */
  readonly kind: CredentialKind;
  /** No key was found for the credential, and it may be a guess: it can be a credential, and it has no valid tag or signature of ours. */
  readonly isGuess: boolean;
  /** The moment that the verdict is for. */
  readonly nowMs: number;
  /** Null if no look-up was needed. */
  readonly cacheOutcome: CacheOutcome | null;
  /** The custom claims of a derived token. Null for a key. */
  readonly customClaims: JsonObject | null;
  /** The remaining units of the key's rate limit, if the key has one that is enforced and it was checked. */
  readonly limit?: KeyLimit;
  /** The same for the limit that the keys of the actor share. */
  readonly actorLimit?: KeyLimit;
  /** If a limit refused: when to try again. Null: never. */
  readonly retryAfterMs?: number | null;
}

export interface KeyLimit {
  readonly policy: RateLimitPolicy;
  readonly remaining: bigint;
  /** When the whole quota is available again. */
  readonly resetTimeMs: number;
  readonly resetAfterMs: number;
}

/** The parts of a verification before and after the look-up, for single ones and batches. */
export interface Judge {
  /** Reads the credential. Returns the verdict if it needs no record. */
  identify(tenant: string, credential: string): PresentedCredential | Verified;
  /** Judges the credential by the record that was found for it. Null: none was found. */
  judge(presented: PresentedCredential, record: KeyRecord | null, cacheOutcome: CacheOutcome, verification: Verification): Verified;
}

export interface JudgeOptions extends CredentialReaders {
  readonly clock: Clock;
  /** `rooted`: a token is valid only as long as its root key. `stateless`: the claims of the token alone decide. */
  readonly derivedTokens: "rooted" | "stateless";
  readonly tenantSettings: Pick<TenantSettings, "of">;
  readonly clockSkewMs: number;
}

export function createJudge(options: JudgeOptions): Judge {
  const { clock, derivedTokens, tenantSettings, clockSkewMs } = options;
  const refused = (refusal: Refused): Verified => ({
    ...unverified(refusal.code, refusal.kind, clock()),
    isGuess: mayBeGuess(refusal),
  });

  const verdictOf = (presented: PresentedCredential, record: KeyRecord | null, circumstances: TokenCircumstances): Verdict => {
    if ("token" in presented && (record !== null || presented.keyIds.length === 0))
      return decideToken(presented.token, record, circumstances);
    return record === null ? refuse(refusalWithoutRecord(presented).code) : decide(record, circumstances);
  };

  return {
    identify(tenant, credential) {
      const presented = readCredential(options, tenant, credential, clock());
      if (isRefused(presented)) return refused(presented);
      if (!("token" in presented) || derivedTokens === "rooted") return presented;
      // A token of a deleted tenant is not one of the next tenant of the same name.
      const isOfTenant = isIssuedAfter(presented.token, tenantStartMs(tenantSettings.of(tenant)));
      return isOfTenant ? { ...presented, keyIds: [] } : refused({ kind: presented.type, code: "not_found" });
    },

    judge(presented, record, cacheOutcome, { endUserAddress, requiredScopes, audience }) {
      // Reads the clock again: the look-up may have taken a while, and the key may have expired since.
      const nowMs = clock();
      const verdict = verdictOf(presented, record, { nowMs, endUserAddress, requiredScopes, clockSkewMs, audience });
      return {
        verdict,
        kind: record === null ? refusalWithoutRecord(presented).kind : presented.type,
        isGuess: record === null && mayBeGuess(presented),
        nowMs,
        cacheOutcome: presented.keyIds.length === 0 ? null : cacheOutcome,
        customClaims: "token" in presented ? presented.token.facts.customClaims : null,
      };
    },
  };
}

export function isVerified(answer: PresentedCredential | Verified): answer is Verified {
  return "verdict" in answer;
}

/** Reports whether a credential that is not valid counts as a guess. */
export function presentsGuess(answer: PresentedCredential | Verified): boolean {
  return isVerified(answer) ? answer.isGuess : mayBeGuess(answer);
}

/** The result for a credential without a look-up of its key. */
export function unverified(code: RefusalCode, kind: CredentialKind, nowMs: number): Verified {
  return { verdict: refuse(code), kind, isGuess: false, nowMs, cacheOutcome: null, customClaims: null };
}

function refuse(code: RefusalCode): Verdict {
  return { isValid: false, code, record: null };
}
