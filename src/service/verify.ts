import type { CacheDirective, CacheOutcome, RecordReader } from "../cache/record-reader.ts";
import { type Credentials, fits } from "../core/credential.ts";
import type { Clock } from "../ports/clock.ts";
import { createJudge, isVerified, type JudgeOptions, type Verification, type Verified } from "./judge.ts";

/** Answers for every credential; rejects only where the store cannot be asked. */
export type Verify = (tenant: string, verification: Verification, cacheDirective: CacheDirective) => Promise<Verified>;

export interface VerifyOptions extends JudgeOptions {
  readonly credentials: Pick<Credentials, "parse">;
  readonly reader: Pick<RecordReader, "read">;
  readonly clock: Clock;
}

export function createVerify(options: VerifyOptions): Verify {
  const { credentials, reader, clock } = options;
  const { claimOrVerdict, judge } = createJudge(options);

  return async (tenant, verification, cacheDirective) => {
    const claim = claimOrVerdict(credentials.parse(tenant, verification.credential, clock()));
    if (isVerified(claim)) return claim;
    let cacheOutcome: CacheOutcome = "hit";
    for (const keyId of claim.keyIds) {
      const { record, outcome } = await reader.read(tenant, keyId, cacheDirective);
      if (outcome !== "hit") cacheOutcome = outcome;
      if (record !== null && fits(claim, record)) return judge(tenant, record, cacheOutcome, verification);
    }
    return judge(tenant, null, cacheOutcome, verification);
  };
}
