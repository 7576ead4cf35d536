import type { TokenKeys } from "../core/token/jwk-set.ts";

/** The keys of derived JWTs, wherever they come from. */
export interface TokenKeySource {
  /** As they were read last; there are always some. */
  current(): TokenKeys;
  /** Stops reading them again. */
  close(): void;
}
