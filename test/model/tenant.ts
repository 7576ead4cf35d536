import { tenantRecordId } from "../../src/core/tenant.ts";
import type { Verified } from "../../src/service/judge.ts";
import type { KeyService } from "../../src/service/key-service.ts";
import type { TenantDirectory } from "../../src/service/tenants/tenant-directory.ts";
import type { Verify } from "../../src/service/verify.ts";
import type { Protocol } from "./protocol.ts";

/** The tenant that is suspended and resumed. Its record is one more key in the history. */
const suspendable = "acme";
export const suspendableKeyId = tenantRecordId(suspendable);

const unset = { displayName: "", hosts: [], keyPrefix: "", issuer: "", defaultTtlMs: null, maxTtlMs: null, maxKeys: null };
const attributes = { ...unset, failedVerifyLimit: null, actorRateLimitPolicy: null, auditRetentionMs: null };
const origin = { method: "", caller: "", clientAddress: "", requestId: "" };

/** Suspends or resumes the tenant. Creates it if it does not exist. */
export async function changeTenant(protocol: Protocol, keys: KeyService, directory: TenantDirectory, suspended: boolean): Promise<void> {
  try {
    await protocol.setSuspended({ keys, directory }, origin, suspendable, suspended);
  } catch (error) {
    if ((error as { readonly reason?: string }).reason !== "TENANT_NOT_FOUND") throw error;
    await protocol.createTenant({ keys, directory }, origin, suspendable, attributes);
  }
}

/** Verifies a valid credential of the tenant, as a call does: first the current record of the tenant, then the verdict. */
export function verifyInTenant(protocol: Protocol, service: KeyService, directory: TenantDirectory): Verify {
  const verdictOf = (code: "valid" | "not_found"): Verified => {
    const verdict = { isValid: code === "valid", ...(code !== "valid" && { code }), record: null };
    return {
      verdict,
      kind: "issued",
      isGuess: false,
      nowMs: service.clock(),
      cacheOutcome: null,
      customClaims: null,
    } as unknown as Verified;
  };
  const verify = protocol.refuseSuspended(service, async () => verdictOf("valid"));
  return async (_tenant, verification, directive) => {
    const tenant = await directory.current(suspendable);
    return tenant === null ? verdictOf("not_found") : verify(suspendable, verification, directive);
  };
}
