import type { JudgeOptions } from "../../src/service/judge.ts";

/** For verifications of keys alone. */
export const noTokens: Pick<JudgeOptions, "tokens" | "derivedTokens" | "clockSkewMs"> = {
  tokens: { claim: () => "signature_invalid", isForeign: () => false },
  derivedTokens: "rooted",
  clockSkewMs: 0,
};
