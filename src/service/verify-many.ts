import type { CacheDirective, CacheOutcome, ReadAnswer, RecordReader } from "../cache/record-reader.ts";
import { type Claim, fits } from "../core/credential.ts";
import type { KeyRecord } from "../core/key.ts";
import { createJudge, isVerified, type JudgeOptions, refuse, type Verification, type Verified } from "./judge.ts";
import { createLimits, type LimitsOptions } from "./limits.ts";

/** Answers for every credential, in their order; never rejects. Where the store cannot be asked for one, its verdict is `internal`. */
export type VerifyMany = (tenant: string, verifications: readonly Verification[], cacheDirective: CacheDirective) => Promise<Verified[]>;

export interface VerifyManyOptions extends JudgeOptions, LimitsOptions {
  readonly reader: Pick<RecordReader, "readMany">;
  /** Told why credentials of a batch could not be verified, once a batch: the answer says only that. */
  readonly reportUnanswered: (error: unknown) => void;
}

type Answer = PromiseSettledResult<ReadAnswer>;

/** One round trip to the shared cache, and one to the store, for all the records that are asked for. */
export function createVerifyMany(options: VerifyManyOptions): VerifyMany {
  const { reader, clock, reportUnanswered } = options;
  const { claimOrVerdict, judge } = createJudge(options);
  const { refuseGuesser, settle } = createLimits(options);

  return async (tenant, verifications, cacheDirective) => {
    const claims = new Map<string, Claim | Verified>();
    for (const { credential } of verifications) {
      // Lives no longer than the request, which holds the same credentials: a repeated one is parsed once.
      if (!claims.has(credential)) claims.set(credential, claimOrVerdict(tenant, credential));
    }
    const keyIds = [...new Set([...claims.values()].flatMap((claim) => (isVerified(claim) ? [] : claim.keyIds)))];
    const settled = await reader.readMany(tenant, keyIds, cacheDirective);
    const answers = new Map(keyIds.map((keyId, index) => [keyId, settled[index] as Answer]));
    const unanswered = settled.find((answer) => answer.status === "rejected");
    if (unanswered !== undefined) reportUnanswered(unanswered.reason);

    // One after the other: each pays before the next one asks.
    const verdicts = verifications.map((verification) => {
      const refusal = refuseGuesser(verification);
      if (refusal !== null) return refusal;
      const claim = claims.get(verification.credential) as Claim | Verified;
      if (isVerified(claim)) return settle(tenant, claim, verification);
      const found = findRecord(claim, answers);
      if (found === "unanswered")
        return { verdict: refuse("internal"), kind: claim.type, nowMs: clock(), cacheOutcome: null, customClaims: null };
      return settle(tenant, judge(claim, found.record, found.cacheOutcome, verification), verification);
    });
    return verdicts.some((verdict) => verdict instanceof Promise) ? Promise.all(verdicts) : (verdicts as Verified[]);
  };
}

/** The first id decides that has the right record, or no answer: the record might be there. */
function findRecord(
  claim: Claim,
  answers: ReadonlyMap<string, Answer>,
): { readonly record: KeyRecord | null; readonly cacheOutcome: CacheOutcome } | "unanswered" {
  let cacheOutcome: CacheOutcome = "hit";
  for (const keyId of claim.keyIds) {
    const answer = answers.get(keyId) as Answer;
    if (answer.status === "rejected") return "unanswered";
    const { record, outcome } = answer.value;
    if (outcome !== "hit") cacheOutcome = outcome;
    if (record !== null && fits(claim, record)) return { record, cacheOutcome };
  }
  return { record: null, cacheOutcome };
}
