import type { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { Role } from "../core/role.ts";

/** Who may call a method: anyone, or callers with one of the roles. `admin` may call everything. */
export type Access = "public" | readonly Role[];

/** Every method of the service stands here; a method that does not is refused to everyone. */
export const access: Readonly<Record<keyof typeof ApiKeysService.method, Access>> = {
  adminIssueApiKey: ["admin"],
  adminGetIssuedApiKey: ["admin", "auditor"],
  adminListIssuedApiKeys: ["admin", "auditor"],
  adminUpdateIssuedApiKey: ["admin"],
  adminRotateIssuedApiKey: ["admin"],
  adminRevokeApiKey: ["admin"],
  adminRevokeIssuedApiKey: ["admin"],
  adminRevokeImportedApiKey: ["admin"],
  adminImportApiKey: ["admin"],
  adminBatchImportApiKeys: ["admin"],
  adminBatchCreateImportedApiKeys: ["admin"],
  adminGetImportedApiKey: ["admin", "auditor"],
  adminListImportedApiKeys: ["admin", "auditor"],
  adminUpdateImportedApiKey: ["admin"],
  adminDeleteImportedApiKey: ["admin"],
  adminVerifyApiKey: ["admin", "verifier"],
  adminBatchVerifyApiKeys: ["admin", "verifier"],
  adminDeriveToken: ["admin", "verifier"],
  getJwks: "public",
  revokeApiKey: "public",
  adminListAuditEvents: ["admin", "auditor"],
};
