import type { CacheDirective, CacheOutcome } from "../cache/reading.ts";
import type { RecordReader } from "../cache/record-reader.ts";
import { fits } from "../core/credential.ts";
import { createJudge, isVerified, type JudgeOptions, type Verification, type Verified } from "./judge.ts";
import { createLimits, type LimitsOptions } from "./limits.ts";

/** Answers for every credential; rejects only where the store cannot be asked. */
export type Verify = (tenant: string, verification: Verification, cacheDirective: CacheDirective) => Promise<Verified>;

export interface VerifyOptions extends JudgeOptions, LimitsOptions {
  readonly reader: Pick<RecordReader, "read">;
}

export function createVerify(options: VerifyOptions): Verify {
  const { reader } = options;
  const { claimOrVerdict, judge } = createJudge(options);
  const { refuseGuesser, settle } = createLimits(options);

  return async (tenant, verification, cacheDirective) => {
    const claim = claimOrVerdict(tenant, verification.credential);
    const refusal = refuseGuesser(claim, verification);
    if (refusal !== null) return refusal;
    if (isVerified(claim)) return settle(tenant, claim, verification);
    let cacheOutcome: CacheOutcome = "hit";
    for (const keyId of claim.keyIds) {
      const { record, outcome } = await reader.read(tenant, keyId, cacheDirective);
      if (outcome !== "hit") cacheOutcome = outcome;
      if (record !== null && fits(claim, record)) return settle(tenant, judge(claim, record, cacheOutcome, verification), verification);
    }
    return settle(tenant, judge(claim, null, cacheOutcome, verification), verification);
  };
}
