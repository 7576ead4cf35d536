import type { DescMethodUnary } from "@bufbuild/protobuf";
import type { Admission, Handler, Interceptor } from "../call/call.ts";
import type { MethodTable } from "../call/methods.ts";
import type { RpcRoute } from "../connect/lane.ts";
import type { HttpHandler } from "../http/message.ts";
import type { ErrorReporter } from "../http/run-call.ts";
import { createCheck } from "./check.ts";
import { createDemandReader } from "./demands.ts";
import { createExtAuthz } from "./ext-authz.ts";
import { createForwardAuth } from "./forward-auth.ts";
import { createIdentityTokens, type IdentityTokensOptions } from "./identity-tokens.ts";
import { isVerifyPath } from "./verify-path.ts";

export interface GatewaysOptions extends IdentityTokensOptions {
  /** The verify method. Its callers may use this. */
  readonly method: DescMethodUnary;
  readonly methods: MethodTable;
  /** Admits the caller of a call, without determining its tenant. */
  readonly admit: Admission;
  readonly resolveTenant: Admission;
  readonly outer: readonly Interceptor[];
  readonly trustedProxies: readonly string[];
  readonly reportError: ErrorReporter;
}

/** The authorization endpoints for gateways. */
export interface Gateways {
  readonly http: { readonly isFor: (path: string) => boolean; readonly handler: HttpHandler };
  readonly rpc: readonly RpcRoute[];
}

/** Authorization for gateways: forward authorization over HTTP, and Envoy's ext_authz. Refuses callers that may not verify. */
export function createGateways({ method, methods, admit, resolveTenant, outer, ...others }: GatewaysOptions): Gateways {
  const { trustedProxies, reportError } = others;
  const identityTokens = createIdentityTokens(others);
  const readDemands = createDemandReader();
  const verify = methods.get(method) as Handler;
  const check = createCheck({ verifyMethod: method, verify, resolveTenant, identityTokens, outer });
  return {
    http: { isFor: isVerifyPath, handler: createForwardAuth({ method, check, readDemands, admit, trustedProxies, reportError }) },
    rpc: [createExtAuthz({ method, check, readDemands, admit, trustedProxies })],
  };
}
