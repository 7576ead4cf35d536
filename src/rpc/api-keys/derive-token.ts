import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ApiKeysService } from "../../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { TokenAlgorithm } from "../../../gen/keywright/v2alpha1/derived_token_pb.ts";
import type { Call } from "../../call/call.ts";
import type { Implementation } from "../../call/methods.ts";
import { type Address, parseAddress } from "../../core/address.ts";
import { scopeSet } from "../../core/scopes.ts";
import { Failure } from "../../error/failure.ts";
import type { GuessLimit } from "../../limit/guess-limit.ts";
import { type DeriveOptions, deriveToken as derive } from "../../service/derive.ts";
import type { GuessGuard } from "../../service/guess-guard.ts";
import { createLimits, type LimitsOptions } from "../../service/limits.ts";
import { contextOf } from "../context.ts";
import { durationToMs, structToMessage } from "../message.ts";
import { refuseFor, setRateLimitHeaders } from "../rate-limit-headers.ts";
import { ceilingOf } from "../scope-ceiling.ts";
import { statedAddressOf } from "../stated-address.ts";
import { refusalTextOf } from "../verified.ts";

/** The limits of verify apply, so that a caller that is refused there cannot continue here. */
export type DeriveRpcOptions = Omit<DeriveOptions, "settle"> & LimitsOptions;

export function deriveToken(options: DeriveRpcOptions): Implementation<typeof ApiKeysService.method.adminDeriveToken> {
  const deriveOptions = { ...options, settle: createLimits(options).settle };
  return async (request, call) => {
    const statedAddress = statedAddressOf(request);
    const { tenant, origin } = contextOf(call);
    const { derived, settled } = await derive(deriveOptions, tenant, origin(), {
      credential: request.credential,
      algorithm: request.algorithm === TokenAlgorithm.MACAROON ? "macaroon" : "jwt",
      ttlMs: durationToMs(request.ttl),
      scopes: scopeSet(request.scopes),
      ceiling: ceilingOf(call),
      customClaims: request.customClaims ?? {},
      endUserAddress: () => statedAddress ?? parseAddress(call.clientAddress),
      guard: statedAddress === null ? unguarded : guardOf(options.guesses, tenant, statedAddress, call),
      cost: request.cost ?? 1,
    });
    setRateLimitHeaders(call, settled);
    if (derived === null) throw new Failure("RATE_LIMITED", { message: refusalTextOf(settled.verdict) });
    const { token, claims, facts } = derived;
    return {
      token: { token, claims: structToMessage(claims), expireTime: timestampFromMs(facts.expireTimeMs), scopes: [...facts.scopes] },
    };
  };
}

/** Without `client_ip` all end users would share one count, as in verify. */
const unguarded: GuessGuard = { admit() {}, count() {} };

function guardOf(guesses: GuessLimit, tenant: string, statedAddress: Address, call: Call): GuessGuard {
  return {
    admit: () => refuseFor(call, guesses.look(statedAddress, tenant)),
    count: () => void guesses.take(statedAddress, tenant),
  };
}
