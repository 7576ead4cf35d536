import type { Config, Secrets } from "./config/config.ts";
import { ConfigError } from "./config/problems.ts";
import type { Callers } from "./rpc/admission/authenticate.ts";
import { createAccessOf, rolesProblems } from "./rpc/admission/permissions.ts";

/** Who may call, as the configuration says. Throws ConfigError if roles name what is not a method. */
export function callersOf({ roles }: Pick<Config, "roles">, { adminTokens }: Pick<Secrets, "adminTokens">): Callers {
  const problems = rolesProblems(roles);
  if (problems.length > 0) throw new ConfigError(problems);
  return { tokens: adminTokens, accessOf: createAccessOf(roles) };
}
