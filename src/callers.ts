import type { CertificateOf } from "./call/client-certificate.ts";
import type { AdminIssuer, Config, Secrets } from "./config/config.ts";
import { ConfigError } from "./config/problems.ts";
import type { Clock } from "./ports/clock.ts";
import type { IssuerKeys } from "./ports/issuer-keys.ts";
import type { Callers } from "./rpc/admission/authenticate.ts";
import { createCertificateCallers } from "./rpc/admission/certificate-callers.ts";
import { createJwtCallers } from "./rpc/admission/jwt-callers.ts";
import { createAccessOf, rolesProblems } from "./rpc/admission/permissions.ts";

/** The settings that say who may call. */
export type CallersConfig = Pick<Config, "roles" | "adminIssuers" | "adminCertificates"> & Pick<Secrets, "adminTokens">;

export interface CallersSources {
  readonly keysOf: (issuer: AdminIssuer) => IssuerKeys;
  /** Undefined if clients are not asked for certificates. */
  readonly certificateOf: CertificateOf | undefined;
  readonly clock: Clock;
}

/** Who may call, at each moment. Throws ConfigError if roles name what is not a method; so does `replace`, which then changes nothing. */
export function createCallers(settings: CallersConfig, sources: CallersSources) {
  let callers = callersOf(settings, sources);
  return {
    current: (): Callers => callers,
    replace(newer: CallersConfig): void {
      callers = callersOf(newer, sources);
    },
  };
}

function callersOf(
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
