import { hash, randomBytes } from "node:crypto";

export interface RoleTokens {
  /** For KEYWRIGHT_ADMIN_TOKEN. */
  readonly admin: string;
  readonly auditor: string;
  readonly verifier: string;
  readonly issuer: string;
  /** Of the role `importer`, which the configuration adds: AdminImportApiKey and AdminGetImportedApiKey. */
  readonly importer: string;
  /** Text for `startServer`'s `config`: all roles but `admin`. */
  readonly config: string;
}

/** Fresh bearer tokens, one for each role. */
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
