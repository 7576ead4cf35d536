import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { TokenAlgorithm } from "../../gen/keywright/v2alpha1/derived_token_pb.ts";
import type { Implementation } from "../call/methods.ts";
import { defaultTenant } from "../core/tenant.ts";
import { type DeriveOptions, deriveToken as derive } from "../service/derive.ts";
import { durationToMs } from "./message.ts";
import { originOf } from "./origin.ts";

export function deriveToken(options: DeriveOptions): Implementation<typeof ApiKeysService.method.adminDeriveToken> {
  return async (request, call) => {
    const { token, claims, facts } = await derive(options, defaultTenant, originOf(call), {
      credential: request.credential,
      algorithm: request.algorithm === TokenAlgorithm.MACAROON ? "macaroon" : "jwt",
      ttlMs: durationToMs(request.ttl),
      scopes: request.scopes,
      customClaims: request.customClaims ?? {},
      clientAddress: () => request.clientIp || call.clientAddress,
    });
    return { token: { token, claims, expireTime: timestampFromMs(facts.expireTimeMs), scopes: [...facts.scopes] } };
  };
}
