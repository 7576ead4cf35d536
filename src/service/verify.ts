import type { CacheDirective, CacheOutcome, RecordReader } from "../cache/record-reader.ts";
import { type Credentials, equalText } from "../core/credential.ts";
import type { KeyRecord } from "../core/key.ts";
import { type Circumstances, decide, type RefusalCode, type Verdict } from "../core/verdict.ts";
import type { Clock } from "../ports/clock.ts";
import type { UsageRecorder } from "./usage-recorder.ts";

export interface Verification {
  readonly credential: string;
  readonly clientAddress: () => string;
  readonly requiredScopes: readonly string[];
  readonly cacheDirective: CacheDirective;
}

export interface Verified {
  readonly verdict: Verdict;
  /** The moment the verdict was given for. */
  readonly nowMs: number;
  /** Null where no look-up was needed. */
  readonly cacheOutcome: CacheOutcome | null;
}

/** Answers for every credential; rejects only where the store cannot be asked. */
export type Verify = (tenant: string, verification: Verification) => Promise<Verified>;

export interface VerifyOptions {
  readonly credentials: Credentials;
  readonly reader: RecordReader;
  readonly usage: Pick<UsageRecorder, "record">;
  readonly clock: Clock;
}

export function createVerify({ credentials, reader, usage, clock }: VerifyOptions): Verify {
  const judge = (tenant: string, record: KeyRecord, circumstances: Circumstances) => {
    const verdict = decide(record, circumstances);
    if (verdict.isValid) usage.record(tenant, record.keyId, circumstances.nowMs);
    return verdict;
  };

  return async (tenant, { credential, clientAddress, requiredScopes, cacheDirective }) => {
    const presented = credentials.parse(tenant, credential, clock());
    if (presented.type !== "issued" && presented.type !== "imported") {
      return { verdict: refuse(codeWithoutLookUp[presented.type]), nowMs: clock(), cacheOutcome: null };
    }
    let cacheOutcome: CacheOutcome = "hit";
    for (const keyId of presented.type === "issued" ? [presented.keyId] : presented.keyIds) {
      const { record, outcome } = await reader.read(tenant, keyId, cacheDirective);
      if (outcome !== "hit") cacheOutcome = outcome;
      if (record === null || record.kind !== presented.type) continue;
      if (presented.type === "issued" && !equalText(record.digest, presented.digest)) continue;
      // The clock is read anew: the look-up may have taken a while, and a key that expired meanwhile is expired.
      const nowMs = clock();
      return { verdict: judge(tenant, record, { nowMs, clientAddress, requiredScopes }), nowMs, cacheOutcome };
    }
    return { verdict: refuse("not_found"), nowMs: clock(), cacheOutcome };
  };
}

/** Derived tokens are not issued yet, so whatever signed one was not this service. */
const codeWithoutLookUp = {
  forged: "not_found",
  jwt: "signature_invalid",
  macaroon: "signature_invalid",
  unreadable: "invalid_format",
} as const;

function refuse(code: RefusalCode): Verdict {
  return { isValid: false, code, record: null };
}
