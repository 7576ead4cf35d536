import { create } from "@bufbuild/protobuf";
import { type VerifyApiKeyResponse, VerifyApiKeyResponseSchema } from "../../gen/keywright/v2alpha1/verification_pb.ts";
import { createBoundedWeakMemory } from "../core/bounded-memory.ts";
import type { KeyRecord } from "../core/key.ts";
import type { Verified } from "../service/judge.ts";
import { verifiedToMessage } from "./verified.ts";

/** Returns the answer of a valid key whose record came from the cache. Undefined if it is not remembered, or depends on more than the record. */
export type LastingAnswers = (verified: Verified, issuer: string) => VerifyApiKeyResponse | undefined;

/** At most twice this number of answers is remembered, for records that are still cached. */
const rememberedAnswers = 5000;

/**
 * Remembers answers by their record. Only the text is remembered: the key was judged at this moment, and a record never changes. The messages
 * are frozen, which tells encoders that they may remember what they made of them.
 *
 * Of the answers that are not known, one in `oneIn` is remembered: soon those of keys that are verified often. If every answer were, then
 * with more such keys than there is room the garbage collector would cost twice what a remembered answer saves.
 */
export function createLastingAnswers(oneIn = 16): LastingAnswers {
  const answers = createBoundedWeakMemory<VerifyApiKeyResponse, KeyRecord>(rememberedAnswers);
  let unknown = 0;
  return (verified, issuer) => {
    const { verdict, kind, cacheOutcome, limit, actorLimit } = verified;
    if (!verdict.isValid || cacheOutcome !== "hit" || limit !== undefined || actorLimit !== undefined) return undefined;
    // The record of a token is made for each verification.
    if (kind !== "issued" && kind !== "imported") return undefined;
    const known = answers.get(verdict.record);
    if (known?.issuer === issuer) return known;
    unknown = (unknown + 1) % oneIn;
    if (unknown !== 0) return undefined;
    const answer = Object.freeze(create(VerifyApiKeyResponseSchema, verifiedToMessage(verified, issuer)));
    answers.set(verdict.record, answer);
    return answer;
  };
}
