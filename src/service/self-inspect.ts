import type { RecordReader } from "../cache/record-reader.ts";
import type { Address } from "../core/address.ts";
import type { PresentedCredential } from "../core/credential.ts";
import type { KeyRecord } from "../core/key.ts";
import { keyLimitId } from "../core/limit-ids.ts";
import { isEnforced } from "../core/rate-limit.ts";
import { mayBeGuess } from "../core/read-credential.ts";
import { Failure } from "../error/failure.ts";
import type { RateLimiter } from "../ports/rate-limiter.ts";
import { findRecord } from "./find-record.ts";
import { createJudge, isVerified, type JudgeOptions, type KeyLimit, presentsGuess } from "./judge.ts";
import type { SelfRevocationLimits } from "./revoke.ts";

export interface Inspection {
  /** The key, or the token as a key, with its own scopes and expiry. */
  readonly record: KeyRecord;
  /** Whether the credential may be used now, from the caller's address. */
  readonly isValid: boolean;
  readonly nowMs: number;
  /** Null if the key has no enforced limit, or may not be used. */
  readonly limit: KeyLimit | null;
}

/** Shows a credential to its holder. Rejects with KEY_NOT_FOUND if no key is found, and with TOO_MANY_CALLS. */
export type SelfInspect = (
  tenant: string,
  credential: string,
  address: Address | null,
  limits: Pick<SelfRevocationLimits, "takeGuess" | "takeUse">,
) => Promise<Inspection>;

export interface SelfInspectOptions extends JudgeOptions {
  readonly reader: Pick<RecordReader, "read">;
  readonly rateLimiter: RateLimiter;
}

/** Like a verification, but takes nothing from a limit and records no use. */
export function createSelfInspect(options: SelfInspectOptions): SelfInspect {
  const { reader, rateLimiter, clock } = options;
  const { identify, judge } = createJudge(options);

  const limitOf = async (tenant: string, record: KeyRecord): Promise<KeyLimit | null> => {
    const { rateLimitPolicy } = record;
    if (!isEnforced(rateLimitPolicy)) return null;
    const { remaining, resetAfterMs } = await rateLimiter.take(tenant, keyLimitId(record), rateLimitPolicy, 0);
    return { policy: rateLimitPolicy, remaining, resetAfterMs, resetTimeMs: clock() + resetAfterMs };
  };

  return async (tenant, credential, address, { takeGuess, takeUse }) => {
    const presented = identify(tenant, credential);
    if (presentsGuess(presented)) takeGuess();
    if (isVerified(presented)) throw new Failure("KEY_NOT_FOUND");
    if (!mayBeGuess(presented)) takeUse(rootOf(presented));
    const circumstances = { credential, endUserAddress: () => address, statedAddress: null, requiredScopes: [], audience: null, cost: 0 };
    const found = await findRecord(presented, async (keyId) => (await reader.read(tenant, keyId, "none")).record);
    const { verdict, nowMs } = judge(presented, found, "hit", circumstances);
    if (verdict.record === null) throw new Failure("KEY_NOT_FOUND");
    const limit = verdict.isValid ? await limitOf(tenant, verdict.record) : null;
    return { record: verdict.record, isValid: verdict.isValid, nowMs, limit };
  };
}

function rootOf(presented: PresentedCredential): string {
  return "token" in presented ? presented.token.facts.rootKeyId : presented.keyIds[0];
}
