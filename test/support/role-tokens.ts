import { hash, randomBytes } from "node:crypto";
import type { Role } from "../../src/core/role.ts";

/** A token for each built-in role. `admin` is for KEYWRIGHT_ADMIN_TOKEN. */
export interface RoleTokens extends Readonly<Record<Role, string>> {
  /** A token of the configured role `importer`: AdminImportApiKey and AdminGetImportedApiKey. */
  readonly importer: string;
  /** Text for `startServer`'s `config`: all roles except `admin`. */
  readonly config: string;
}

/** New bearer tokens, one per role. */
export function createRoleTokens(): RoleTokens {
  const [auditor, verifier, issuer, importer] = [token(), token(), token(), token()];
  return {
    admin: token(),
    auditor,
    verifier,
    issuer,
    importer,
    config: [
      "roles:",
      "  importer: [AdminImportApiKey, AdminGetImportedApiKey]",
      "admin_tokens:",
      entry("auditor", auditor),
      entry("verifier", verifier),
      entry("issuer", issuer),
      entry("importer", importer),
      "",
    ].join("\n"),
  };
}

export function token(): string {
  return `test_${randomBytes(32).toString("base64url")}`;
}

function entry(role: string, secret: string): string {
  return `  - { name: the-${role}, sha256: ${hash("sha256", secret)}, roles: [${role}], tenants: ["*"] }`;
}
