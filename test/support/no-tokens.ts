import type { JudgeOptions } from "../../src/service/judge.ts";

/** For verifications of keys only. */
export const noTokens: Pick<JudgeOptions, "tokens" | "derivedTokens" | "clockSkewMs"> = {
  tokens: { read: () => "signature_invalid", isForeign: () => false },
  derivedTokens: "rooted",
  clockSkewMs: 0,
};
