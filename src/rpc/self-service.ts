import type { Call } from "../call/call.ts";
import { parseAddress } from "../core/address.ts";
import { prefixOf } from "../core/credential.ts";
import { Failure } from "../error/failure.ts";
import type { SelfRevokeLimits } from "../limit/self-revoke-limits.ts";
import type { SelfRevocationLimits } from "../service/revoke.ts";
import type { TenantDirectory } from "../service/tenants/tenant-directory.ts";
import { contextOf } from "./context.ts";
import { refuseFor } from "./rate-limit-headers.ts";

/** Options shared by the methods that anybody with a credential may call. */
export interface SelfServiceOptions {
  readonly limits: SelfRevokeLimits;
  readonly directory: Pick<TenantDirectory, "current" | "tenantOfPrefix">;
}

/**
 * Returns the tenant of a credential: that of its prefix, otherwise that of the call. Returns a promise only if the process does not know
 * the tenant. Only the holder of one of its keys may learn that it is suspended (`refuseSuspended`).
 */
export function tenantOfCredential(
  { directory }: Pick<SelfServiceOptions, "directory">,
  call: Call,
  credential: string,
): string | Promise<string> {
  const ofCall = contextOf(call).tenant;
  const tenant = directory.tenantOfPrefix(prefixOf(credential)) ?? ofCall;
  const current = directory.current(tenant);
  return current instanceof Promise ? current.then(() => tenant) : tenant;
}

/** Throws TENANT_SUSPENDED. Call it after the credential was found. */
export async function refuseSuspended({ directory }: Pick<SelfServiceOptions, "directory">, tenant: string): Promise<void> {
  const found = await directory.current(tenant);
  if (found?.suspended !== false) throw new Failure("TENANT_SUSPENDED");
}

/** The limits of self-revocation for one call. Each refusal is TOO_MANY_CALLS with Retry-After. */
export function limitsOfCall(
  { limits }: Pick<SelfServiceOptions, "limits">,
  call: Pick<Call, "guessAddress" | "setResponseHeader">,
): SelfRevocationLimits {
  const { guesses, takeUse, takeRepeat } = limits;
  return {
    takeGuess: () => refuseFor(call, guesses.take(parseAddress(call.guessAddress))),
    takeUse: (keyId) => refuseFor(call, takeUse(keyId), "too many calls with this key; try again later"),
    takeRepeat: (keyId) =>
      refuseFor(call, takeRepeat(keyId), "this key is known to be compromised and was reported too often; try again later"),
  };
}
