import { hash, randomBytes } from "node:crypto";

export interface RoleTokens {
  /** For KEYWRIGHT_ADMIN_TOKEN. */
  readonly admin: string;
  readonly auditor: string;
  readonly verifier: string;
  /** Text for `startServer`'s `config`: the two lesser roles. */
  readonly config: string;
}

/** Fresh bearer tokens, one for each role. */
export function createRoleTokens(): RoleTokens {
  const [auditor, verifier] = [token(), token()];
  return {
    admin: token(),
    auditor,
    verifier,
    config: ["admin_tokens:", entry("auditor", auditor), entry("verifier", verifier), ""].join("\n"),
  };
}

export function token(): string {
  return `test_${randomBytes(32).toString("base64url")}`;
}

function entry(role: string, secret: string): string {
  return `  - { name: the-${role}, sha256: ${hash("sha256", secret)}, roles: [${role}] }`;
}
