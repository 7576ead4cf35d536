import type { JudgeOptions } from "../../src/service/judge.ts";
import type { KeyService } from "../../src/service/key-service.ts";
import { createTenantSettings } from "../../src/service/tenants/tenant-settings.ts";

/** For verifications of keys only. */
export const noTokens: Pick<JudgeOptions, "derivedTokens" | "tenantSettings" | "clockSkewMs"> & Pick<KeyService, "tokens"> = {
  tokens: { read: () => "signature_invalid", isForeign: () => false, isDamagedToken: () => false },
  derivedTokens: "rooted",
  tenantSettings: createTenantSettings(),
  clockSkewMs: 0,
};
