import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { RateLimitPolicySchema } from "../../gen/keywright/v2alpha1/key_policy_pb.ts";
import { type VerifyApiKeyResponse, VerifyApiKeyResponseSchema } from "../../gen/keywright/v2alpha1/verification_pb.ts";
import { setLastingPart } from "../call/lasting-part.ts";
import { createBoundedWeakMemory } from "../core/bounded-memory.ts";
import type { KeyRecord } from "../core/key.ts";
import type { RefusalCode } from "../core/verdict.ts";
import type { Verified } from "../service/judge.ts";
import { rateLimitPolicyToMessage, statusToMessageAt } from "./message.ts";
import { refusals, verifiedToMessage } from "./verified.ts";

/**
 * Returns the answer about a key whose record came from the cache, or about a credential without a record. Undefined if it is not
 * remembered, or depends on something else than the record, the verdict and the limits.
 */
export type LastingAnswers = (verified: Verified, issuer: string) => VerifyApiKeyResponse | undefined;

/**
 * At most twice this number of answers is remembered, for records that are still cached. A message shares its texts with the record. The
 * encoders remember nothing above 4 KiB: at most 40 MiB for each of the four forms of Connect and gRPC, and as much for the JSON of
 * JSON/HTTP, or twice that if texts are not Latin-1.
 */
const rememberedAnswers = 5000;

/**
 * Remembers answers by their record. Only the text is remembered: the key was judged at this moment, and a record never changes. The
 * messages are frozen, which tells encoders that they may remember what they made of them.
 *
 * Of the answers that are not known, one in `oneIn` is remembered: soon those of keys that are verified often. If every answer were, then
 * with more such keys than there is room the garbage collector would cost twice what a remembered answer saves.
 */
export function createLastingAnswers(oneIn = 16): LastingAnswers {
  const ofRecords = createBoundedWeakMemory<VerifyApiKeyResponse, KeyRecord>(rememberedAnswers);
  const ofCodes = new Map<RefusalCode, VerifyApiKeyResponse>();
  let unknownCount = 0;

  const withoutRecord = (code: RefusalCode, verified: Verified, issuer: string): VerifyApiKeyResponse => {
    const answer = ofCodes.get(code) ?? frozenAnswer(verified, issuer);
    ofCodes.set(code, answer);
    return answer;
  };

  return (verified, issuer) => {
    const { verdict, kind, cacheOutcome, limit, actorLimit } = verified;
    const isLimited = limit !== undefined || actorLimit !== undefined;
    if (isLimited && !verdict.isValid) return undefined;
    if (!verdict.isValid && verdict.record === null) return withoutRecord(verdict.code, verified, issuer);
    // The record of a token is made for each verification.
    if (cacheOutcome !== "hit" || (kind !== "issued" && kind !== "imported")) return undefined;
    const record = verdict.record as KeyRecord;
    const known = ofRecords.get(record);
    if (known !== undefined && isAnswerTo(known, verified, issuer)) return isLimited ? withLimits(known, verified) : known;
    unknownCount = (unknownCount + 1) % oneIn;
    if (unknownCount !== 0) return undefined;
    const answer = frozenAnswer(verified, issuer);
    ofRecords.set(record, answer);
    return isLimited ? withLimits(answer, verified) : answer;
  };
}

/** Call it only with an answer about the same record. */
function isAnswerTo(answer: VerifyApiKeyResponse, { verdict, nowMs }: Verified, issuer: string): boolean {
  if (answer.status !== statusToMessageAt(verdict.record as KeyRecord, nowMs)) return false;
  if (verdict.isValid) return answer.isValid === true && answer.issuer === issuer;
  const [errorCode, errorMessage] = refusals[verdict.code];
  return answer.errorCode === errorCode && answer.errorMessage === errorMessage;
}

/** Without the state of limits. */
function frozenAnswer(verified: Verified, issuer: string): VerifyApiKeyResponse {
  const { limit: _limit, actorLimit: _actorLimit, ...unlimited } = verified;
  return Object.freeze(create(VerifyApiKeyResponseSchema, verifiedToMessage(unlimited, issuer)));
}

const limitFields: readonly (keyof VerifyApiKeyResponse)[] = [
  "rateLimitRemaining",
  "rateLimitResetTime",
  "actorRateLimitPolicy",
  "actorRateLimitRemaining",
  "actorRateLimitResetTime",
];

/** A copy of a lasting answer, with the state of limits. */
function withLimits(lasting: VerifyApiKeyResponse, { limit, actorLimit }: Verified): VerifyApiKeyResponse {
  const answer: VerifyApiKeyResponse = Object.assign(Object.create(Object.getPrototypeOf(lasting)), lasting);
  if (limit !== undefined) {
    answer.rateLimitRemaining = limit.remaining;
    answer.rateLimitResetTime = timestampFromMs(limit.resetTimeMs);
  }
  if (actorLimit !== undefined) {
    const { policy, remaining, resetTimeMs } = actorLimit;
    answer.actorRateLimitPolicy = create(RateLimitPolicySchema, rateLimitPolicyToMessage(policy));
    answer.actorRateLimitRemaining = remaining;
    answer.actorRateLimitResetTime = timestampFromMs(resetTimeMs);
  }
  setLastingPart(answer, { message: lasting, otherFields: limitFields });
  return answer;
}
