import type { CacheDirective, CacheOutcome } from "../cache/reading.ts";
import type { RecordReader } from "../cache/record-reader.ts";
import { matchesRecord } from "../core/credential.ts";
import { createJudge, isVerified, type JudgeOptions, type Verification, type Verified } from "./judge.ts";
import { createLimits, type LimitsOptions } from "./limits.ts";

/** Verifies a credential. Rejects only if the store does not answer. */
export type Verify = (tenant: string, verification: Verification, cacheDirective: CacheDirective) => Promise<Verified>;

export interface VerifyOptions extends JudgeOptions, LimitsOptions {
  readonly reader: Pick<RecordReader, "read">;
}

export function createVerify(options: VerifyOptions): Verify {
  const { reader } = options;
  const { identify, judge } = createJudge(options);
  const { refuseGuesser, settle } = createLimits(options);

  return async (tenant, verification, cacheDirective) => {
    const presented = identify(tenant, verification.credential);
    const refusal = refuseGuesser(tenant, presented, verification);
    if (refusal !== null) return refusal;
    if (isVerified(presented)) return settle(tenant, presented, verification);
    let cacheOutcome: CacheOutcome = "hit";
    for (const keyId of presented.keyIds) {
      const { record, outcome } = await reader.read(tenant, keyId, cacheDirective);
      if (outcome !== "hit") cacheOutcome = outcome;
      if (record !== null && matchesRecord(presented, record))
        return settle(tenant, judge(presented, record, cacheOutcome, verification), verification);
    }
    return settle(tenant, judge(presented, null, cacheOutcome, verification), verification);
  };
}
