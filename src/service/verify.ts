import type { CacheDirective, CacheOutcome, RecordReader } from "../cache/record-reader.ts";
import { fits } from "../core/credential.ts";
import { createJudge, isVerified, type JudgeOptions, type Verification, type Verified } from "./judge.ts";

/** Answers for every credential; rejects only where the store cannot be asked. */
export type Verify = (tenant: string, verification: Verification, cacheDirective: CacheDirective) => Promise<Verified>;

export interface VerifyOptions extends JudgeOptions {
  readonly reader: Pick<RecordReader, "read">;
}

export function createVerify(options: VerifyOptions): Verify {
  const { reader } = options;
  const { claimOrVerdict, judge } = createJudge(options);

  return async (tenant, verification, cacheDirective) => {
    const claim = claimOrVerdict(tenant, verification.credential);
    if (isVerified(claim)) return claim;
    let cacheOutcome: CacheOutcome = "hit";
    for (const keyId of claim.keyIds) {
      const { record, outcome } = await reader.read(tenant, keyId, cacheDirective);
      if (outcome !== "hit") cacheOutcome = outcome;
      if (record !== null && fits(claim, record)) return judge(tenant, claim, record, cacheOutcome, verification);
    }
    return judge(tenant, claim, null, cacheOutcome, verification);
  };
}
