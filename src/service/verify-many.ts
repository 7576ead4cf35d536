import type { CacheDirective, CacheOutcome, ReadAnswer } from "../cache/reading.ts";
import type { RecordReader } from "../cache/record-reader.ts";
import { type Claim, fits } from "../core/credential.ts";
import type { KeyRecord } from "../core/key.ts";
import { createJudge, isVerified, type JudgeOptions, unverified, type Verification, type Verified } from "./judge.ts";
import { createLimits, type LimitsOptions } from "./limits.ts";

/** Answers for every credential, in their order; never rejects. Where the store cannot be asked for one, its verdict is `internal`. */
export type VerifyMany = (tenant: string, verifications: readonly Verification[], cacheDirective: CacheDirective) => Promise<Verified[]>;

export interface VerifyManyOptions extends JudgeOptions, LimitsOptions {
  readonly reader: Pick<RecordReader, "readMany">;
  /** Told why credentials of a batch could not be verified, once a batch: the answer says only that. */
  readonly reportUnanswered: (error: unknown) => void;
}

type Answer = PromiseSettledResult<ReadAnswer>;

/**
 * One round trip to the shared cache, and one to the store, for all the records that are asked for. Each credential is answered by itself: one
 * that cannot be judged is `internal`, whatever the reason, and the others get their answers.
 */
export function createVerifyMany(options: VerifyManyOptions): VerifyMany {
  const { reader, clock, reportUnanswered } = options;
  const { claimOrVerdict, judge } = createJudge(options);
  const { refuseGuesser, settle } = createLimits(options);

  const claimsOf = (tenant: string, verifications: readonly Verification[]): (Claim | Verified)[] => {
    // Lives no longer than the request, which holds the same credentials: a repeated one is parsed once.
    const claims = new Map<string, Claim | Verified>();
    return verifications.map(({ credential }) => {
      const claim = claims.get(credential) ?? claimOrVerdict(tenant, credential);
      claims.set(credential, claim);
      return claim;
    });
  };

  const answerTo = (tenant: string, asked: Asked, answers: ReadonlyMap<string, Answer>): Verified | Promise<Verified> => {
    const { claim, verification } = asked;
    // Asked again, since the credentials before this one in the batch may have been guesses.
    const refusal = asked.refusal ?? refuseGuesser(claim, verification);
    if (refusal !== null) return refusal;
    if (isVerified(claim)) return settle(tenant, claim, verification);
    const found = findRecord(claim, answers);
    if (found === "unanswered") return unverified("internal", claim.type, clock());
    return settle(tenant, judge(claim, found.record, found.cacheOutcome, verification), verification);
  };

  return async (tenant, verifications, cacheDirective) => {
    const claims = claimsOf(tenant, verifications);
    const all = verifications.map((verification, index): Asked => {
      const claim = claims[index] as Claim | Verified;
      return { verification, claim, refusal: refuseGuesser(claim, verification) };
    });
    const keyIds = [...new Set(all.flatMap(({ claim, refusal }) => (isVerified(claim) || refusal !== null ? [] : claim.keyIds)))];
    const settled = await reader.readMany(tenant, keyIds, cacheDirective);
    const answers = new Map(keyIds.map((keyId, index) => [keyId, settled[index] as Answer]));
    const problems: unknown[] = settled.filter((answer) => answer.status === "rejected").map(({ reason }) => reason);

    // One after the other: each pays before the next one asks.
    const verdicts = all.map((asked) => {
      const failed = (error: unknown): Verified => {
        problems.push(error);
        return unverified("internal", isVerified(asked.claim) ? asked.claim.kind : asked.claim.type, clock());
      };
      try {
        const answer = answerTo(tenant, asked, answers);
        return answer instanceof Promise ? answer.catch(failed) : answer;
      } catch (error) {
        return failed(error);
      }
    });
    const verified = verdicts.some((verdict) => verdict instanceof Promise) ? await Promise.all(verdicts) : (verdicts as Verified[]);
    if (problems.length > 0) reportUnanswered(problems[0]);
    return verified;
  };
}

interface Asked {
  readonly verification: Verification;
  readonly claim: Claim | Verified;
  /** Of a client that had guessed too often before the batch; its keys are not looked up. */
  readonly refusal: Verified | null;
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
