import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { createGateways, type Gateways } from "../gateways/gateways.ts";
import type { TokenKeySource } from "../ports/token-keys.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { AppAdmission } from "./admission.ts";
import type { Given } from "./given.ts";
import type { AppMethods } from "./methods.ts";

export interface GatewayParts {
  readonly methods: AppMethods;
  readonly admission: AppAdmission;
  readonly tokenKeys: TokenKeySource;
  readonly telemetry: Telemetry;
  readonly reportError: (error: unknown) => void;
}

export function createAppGateways({ config, clock }: Given, parts: GatewayParts): Gateways {
  const { methods, admission, tokenKeys, telemetry, reportError } = parts;
  return createGateways({
    method: ApiKeysService.method.adminVerifyApiKey,
    methods: methods.methods,
    ...admission.ofGateways,
    keys: tokenKeys.current,
    issuerOf: methods.tokens.issuerOf,
    clock,
    outer: telemetry.interceptors,
    trustedProxies: config.trustedProxies,
    reportError,
  });
}
