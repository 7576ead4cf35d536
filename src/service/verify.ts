import type { CacheDirective, CacheOutcome, ReadAnswer } from "../cache/reading.ts";
import type { RecordReader } from "../cache/record-reader.ts";
import { matchesRecord, type PresentedCredential } from "../core/credential.ts";
import { createJudge, isVerified, type JudgeOptions, type Verification, type Verified } from "./judge.ts";
import { createLimits, type LimitsOptions } from "./limits.ts";

/**
 * Verifies a credential. Rejects only if the store does not answer. Returns a promise only if something outside the process must be asked.
 */
export type Verify = (tenant: string, verification: Verification, cacheDirective: CacheDirective) => Verified | Promise<Verified>;

export interface VerifyOptions extends JudgeOptions, LimitsOptions {
  readonly reader: Pick<RecordReader, "read">;
}

export function createVerify(options: VerifyOptions): Verify {
  const { reader } = options;
  const { identify, judge } = createJudge(options);
  const { refuseGuesser, settle } = createLimits(options);

  /** Looks up the key ids from `index` on. The first one with a matching record decides. */
  const search = (asked: Asked, index: number, outcomeBefore: CacheOutcome): Verified | Promise<Verified> => {
    const { tenant, presented, verification, cacheDirective } = asked;
    const keyId = presented.keyIds[index];
    if (keyId === undefined) return settle(tenant, judge(presented, null, outcomeBefore, verification), verification);
    const answer = reader.read(tenant, keyId, cacheDirective);
    if (!(answer instanceof Promise)) return judgeBy(answer, asked, index, outcomeBefore);
    // Others of the client's guesses may have been counted during the look-up.
    return answer.then((late) => refuseGuesser(tenant, presented, verification) ?? judgeBy(late, asked, index, outcomeBefore));
  };

  const judgeBy = ({ record, outcome }: ReadAnswer, asked: Asked, index: number, outcomeBefore: CacheOutcome) => {
    const { tenant, presented, verification } = asked;
    const cacheOutcome = outcome === "hit" ? outcomeBefore : outcome;
    if (record === null || !matchesRecord(presented, record)) return search(asked, index + 1, cacheOutcome);
    return settle(tenant, judge(presented, record, cacheOutcome, verification), verification);
  };

  return (tenant, verification, cacheDirective) => {
    const presented = identify(tenant, verification.credential);
    const refusal = refuseGuesser(tenant, presented, verification);
    if (refusal !== null) return refusal;
    if (isVerified(presented)) return settle(tenant, presented, verification);
    return search({ tenant, presented, verification, cacheDirective }, 0, "hit");
  };
}

interface Asked {
  readonly tenant: string;
  readonly presented: PresentedCredential;
  readonly verification: Verification;
  readonly cacheDirective: CacheDirective;
}
