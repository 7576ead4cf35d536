import type { JudgeOptions } from "../../src/service/judge.ts";
import type { KeyService } from "../../src/service/key-service.ts";

/** For verifications of keys only. */
export const noTokens: Pick<JudgeOptions, "derivedTokens" | "clockSkewMs"> & Pick<KeyService, "tokens"> = {
  tokens: { read: () => "signature_invalid", isForeign: () => false, isDamagedToken: () => false },
  derivedTokens: "rooted",
  clockSkewMs: 0,
};
