import type { CacheOutcome } from "../cache/record-reader.ts";
import { type Claim, isClaim, type Presented } from "../core/credential.ts";
import type { KeyRecord } from "../core/key.ts";
import { decide, type RefusalCode, type Verdict } from "../core/verdict.ts";
import type { Clock } from "../ports/clock.ts";
import type { UsageRecorder } from "./usage-recorder.ts";

/** A credential and what it is held against. */
export interface Verification {
  readonly credential: string;
  readonly clientAddress: () => string;
  readonly requiredScopes: readonly string[];
}

export interface Verified {
  readonly verdict: Verdict;
  /** The moment the verdict was given for. */
  readonly nowMs: number;
  /** Null where no look-up was needed. */
  readonly cacheOutcome: CacheOutcome | null;
}

/** What comes before and after the look-up of a verification, whether it goes alone or in a batch. */
export interface Judge {
  /** The claim of what was presented, or the verdict where no record is needed for one. */
  claimOrVerdict(presented: Presented): Claim | Verified;
  /** The verdict over the record that fits the claim, null where there is none; a valid one counts as a use of the key. */
  judge(tenant: string, record: KeyRecord | null, cacheOutcome: CacheOutcome, verification: Verification): Verified;
}

export interface JudgeOptions {
  readonly usage: Pick<UsageRecorder, "record">;
  readonly clock: Clock;
}

export function createJudge({ usage, clock }: JudgeOptions): Judge {
  return {
    claimOrVerdict(presented) {
      if (isClaim(presented)) return presented;
      return { verdict: refuse(codeWithoutLookUp[presented.type]), nowMs: clock(), cacheOutcome: null };
    },

    judge(tenant, record, cacheOutcome, { clientAddress, requiredScopes }) {
      // The clock is read anew: the look-up may have taken a while, and a key that expired meanwhile is expired.
      const nowMs = clock();
      if (record === null) return { verdict: refuse("not_found"), nowMs, cacheOutcome };
      const verdict = decide(record, { nowMs, clientAddress, requiredScopes });
      if (verdict.isValid) usage.record(tenant, record.keyId, nowMs);
      return { verdict, nowMs, cacheOutcome };
    },
  };
}

/** Derived tokens are not issued yet, so whatever signed one was not this service. */
const codeWithoutLookUp = {
  forged: "not_found",
  jwt: "signature_invalid",
  macaroon: "signature_invalid",
  unreadable: "invalid_format",
} as const satisfies Record<Exclude<Presented, Claim>["type"], RefusalCode>;

export function isVerified(answer: Claim | Verified): answer is Verified {
  return "verdict" in answer;
}

export function refuse(code: RefusalCode): Verdict {
  return { isValid: false, code, record: null };
}
