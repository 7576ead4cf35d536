import { unverified } from "../judge.ts";
import type { KeyService } from "../key-service.ts";
import type { Verify } from "../verify.ts";
import type { VerifyMany } from "../verify-many.ts";

type Parts = Pick<KeyService, "clock" | "tenantSettings">;

/** Refuses the keys of a suspended tenant like revoked keys, without a look-up. */
export function refuseSuspended({ clock, tenantSettings }: Parts, verify: Verify): Verify {
  return (tenant, verification, directive) =>
    tenantSettings.of(tenant).suspended ? unverified("revoked", "none", clock()) : verify(tenant, verification, directive);
}

/** The same for a batch. */
export function refuseSuspendedMany({ clock, tenantSettings }: Parts, verifyMany: VerifyMany): VerifyMany {
  return async (tenant, verifications, directive, turns) =>
    tenantSettings.of(tenant).suspended
      ? verifications.map(() => unverified("revoked", "none", clock()))
      : verifyMany(tenant, verifications, directive, turns);
}
