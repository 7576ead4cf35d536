import type { AdminIssuer, Config, Secrets } from "./config/config.ts";
import { ConfigError } from "./config/problems.ts";
import type { Clock } from "./ports/clock.ts";
import type { IssuerKeys } from "./ports/issuer-keys.ts";
import type { Callers } from "./rpc/admission/authenticate.ts";
import { createJwtCallers } from "./rpc/admission/jwt-callers.ts";
import { createAccessOf, rolesProblems } from "./rpc/admission/permissions.ts";

/** The settings that define who may call. */
export type CallersConfig = Pick<Config, "roles" | "adminIssuers"> & Pick<Secrets, "adminTokens">;

/** Makes the callers from the settings. Throws ConfigError if a role names an unknown method. */
export function callersOf(
  { roles, adminIssuers, adminTokens }: CallersConfig,
  keysOf: (issuer: AdminIssuer) => IssuerKeys,
  clock: Clock,
): Callers {
  const problems = rolesProblems(roles);
  if (problems.length > 0) throw new ConfigError(problems);
  const issuers = adminIssuers.map((issuer) => ({ ...issuer, keys: keysOf(issuer) }));
  return {
    tokens: adminTokens,
    jwts: issuers.length === 0 ? null : createJwtCallers(issuers, clock),
    accessOf: createAccessOf(roles),
  };
}
