import type { TokenFacts } from "../../src/core/token/facts.ts";

/** The content of a token, with a test's changes. */
export function tokenFacts(facts: Partial<TokenFacts> = {}): TokenFacts {
  return {
    tokenId: "01KAS4D9N4XJ8M2V6T0QZ3R7YA",
    chain: [],
    issuer: "https://keys.example",
    tenant: "default",
    rootKeyId: "01KAS4D9N4XJ8M2V6T0QZ3R7YB",
    rootFirstRevision: null,
    actorId: "user_1",
    scopes: ["read", "write"],
    metadata: { plan: "gold" },
    customClaims: { team: "blue" },
    issueTimeMs: 1_800_000_000_000,
    notBeforeMs: 1_800_000_000_000,
    expireTimeMs: 1_800_003_600_000,
    ...facts,
  };
}
