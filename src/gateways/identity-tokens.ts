import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { VerifyApiKeyResponse } from "../../gen/keywright/v2alpha1/verification_pb.ts";
import { createBoundedMemory } from "../core/bounded-memory.ts";
import { type Identity, signIdentity } from "../core/token/identity.ts";
import type { TokenKeys } from "../core/token/jwk-set.ts";

/** Signed statements about verified keys, for upstreams that do not trust the network. */
export interface IdentityTokens {
  /** Returns a JWT for the audience, valid for another 30 to 60 seconds unless the credential expires before. */
  tokenFor(verified: VerifyApiKeyResponse, tenant: string, audience: string): string | Promise<string>;
}

export interface IdentityTokensOptions {
  readonly keys: () => TokenKeys;
  readonly issuerOf: (tenant: string) => string;
  readonly clock: () => number;
}

interface Made {
  readonly token: string;
  readonly issueTimeMs: number;
}

const lifeMs = 60_000;
const reuseMs = 30_000;
/** Characters of the tokens to remember: some ten thousand of usual size. */
const rememberedChars = 8_388_608;

/**
 * A token is reused as long as the same key would sign the same content. So it never states more than the current verification: each
 * request is verified first, and the token is looked up by the verification's result.
 */
export function createIdentityTokens({ keys, issuerOf, clock }: IdentityTokensOptions): IdentityTokens {
  const made = createBoundedMemory<Made>(rememberedChars, ({ token }) => token.length);
  /** Signatures in progress. Concurrent calls for the same token share one. */
  const pending = new Map<string, Promise<string>>();

  const make = async (name: string, signing: TokenKeys, identity: Identity, nowMs: number, endMs: number): Promise<string> => {
    try {
      const token = await signIdentity(signing, identity, nowMs, Math.min(nowMs + lifeMs, endMs));
      made.set(name, { token, issueTimeMs: nowMs });
      return token;
    } finally {
      pending.delete(name);
    }
  };

  return {
    tokenFor({ keyId, actorId, scopes, expireTime }, tenant, audience) {
      const nowMs = clock();
      const signing = keys();
      const endMs = expireTime === undefined ? Number.POSITIVE_INFINITY : timestampMs(expireTime);
      const identity = { issuer: issuerOf(tenant), audience, tenant, keyId, actorId, scopes };
      const name = JSON.stringify([signing.version, signing.signer.kid, endMs, identity]);
      const known = made.get(name);
      if (known !== undefined && nowMs >= known.issueTimeMs && nowMs < known.issueTimeMs + reuseMs) return known.token;
      const started = pending.get(name);
      if (started !== undefined) return started;
      const token = make(name, signing, identity, nowMs, endMs);
      pending.set(name, token);
      return token;
    },
  };
}
