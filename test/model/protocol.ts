import { createMemoryRecordCache } from "../../src/adapters/memory/record-cache.ts";
import { createCurrentStore } from "../../src/cache/current-store.ts";
import { createCacheTrust } from "../../src/cache/trust.ts";
import { createVerifierCache } from "../../src/cache/verifier-cache.ts";
import { deleteImportedKey } from "../../src/service/delete.ts";
import { setDisabled } from "../../src/service/disable.ts";
import { importKey } from "../../src/service/import.ts";
import { issueKey } from "../../src/service/issue.ts";
import { revokeKey } from "../../src/service/revoke.ts";
import { rotateKey } from "../../src/service/rotate.ts";
import { createTenant, setSuspended } from "../../src/service/tenants/change-tenant.ts";
import { refuseSuspended } from "../../src/service/tenants/suspension.ts";
import { createTenantDirectory } from "../../src/service/tenants/tenant-directory.ts";
import { createTenantSettings } from "../../src/service/tenants/tenant-settings.ts";
import { updateKey } from "../../src/service/update.ts";
import { createVerify } from "../../src/service/verify.ts";

/** The code under test. Mutants are other copies of it. */
export const realProtocol = {
  createMemoryRecordCache,
  createCurrentStore,
  createVerifierCache,
  createCacheTrust,
  createVerify,
  issueKey,
  importKey,
  updateKey,
  revokeKey,
  setDisabled,
  rotateKey,
  deleteImportedKey,
  createTenant,
  setSuspended,
  createTenantDirectory,
  createTenantSettings,
  refuseSuspended,
};

export type Protocol = typeof realProtocol;
