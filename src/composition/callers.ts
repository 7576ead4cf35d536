import type { CertificateOf } from "../call/client-certificate.ts";
import type { AdminIssuer, Config, Secrets } from "../config/config.ts";
import { ConfigError } from "../config/problems.ts";
import type { Clock } from "../ports/clock.ts";
import type { IssuerKeys } from "../ports/issuer-keys.ts";
import type { Callers } from "../rpc/admission/authenticate.ts";
import { createCertificateCallers } from "../rpc/admission/certificate-callers.ts";
import { createJwtCallers } from "../rpc/admission/jwt-callers.ts";
import { createAccessOf, rolesProblems } from "../rpc/admission/permissions.ts";

/** The settings that define who may call. */
export type CallersConfig = Pick<Config, "roles" | "adminIssuers" | "adminCertificates"> & Pick<Secrets, "adminTokens">;

export interface CallersSources {
  readonly keysOf: (issuer: AdminIssuer) => IssuerKeys;
  /** Undefined if clients are not asked for certificates. */
  readonly certificateOf: CertificateOf | undefined;
  readonly clock: Clock;
}

/** Makes the callers from the settings. Throws ConfigError if a role names an unknown method. */
export function callersOf(
  { roles, adminIssuers, adminCertificates, adminTokens }: CallersConfig,
  { keysOf, certificateOf, clock }: CallersSources,
): Callers {
  const problems = rolesProblems(roles);
  if (problems.length > 0) throw new ConfigError(problems);
  const issuers = adminIssuers.map((issuer) => ({ ...issuer, keys: keysOf(issuer) }));
  return {
    tokens: adminTokens,
    jwts: issuers.length === 0 ? null : createJwtCallers(issuers, clock),
    certificates: certificateOf === undefined ? null : createCertificateCallers(adminCertificates, certificateOf, clock),
    accessOf: createAccessOf(roles),
  };
}
