import type { DescMethod } from "@bufbuild/protobuf";
import { accessOf, tableMethods } from "../method-table.ts";

/** Roles of the configuration: method names, as in the contract, by role. */
export type CustomRoles = Readonly<Record<string, readonly string[]>>;

/** Who may call a method: anyone, every caller that has a role, or callers with one of these roles. Undefined: nobody. */
export type AccessOf = (method: DescMethod) => "public" | "caller" | readonly string[] | undefined;

const methodsByName = new Map(tableMethods.map((method) => [method.name, method]));

/** Combines the methods' rows with the roles of the configuration, which must have no problems (`rolesProblems`). */
export function createAccessOf(roles: CustomRoles): AccessOf {
  const access = new Map<DescMethod, "public" | "caller" | readonly string[]>();
  for (const method of tableMethods) {
    const builtIn = accessOf(method);
    if (builtIn === undefined) continue;
    const added = Object.keys(roles).filter((role) => roles[role]?.includes(method.name));
    access.set(method, typeof builtIn === "string" ? builtIn : [...builtIn, ...added]);
  }
  return (method) => access.get(method);
}

/** Returns the problems of configured roles: methods that do not exist, or that the role `admin` may not call. */
export function rolesProblems(roles: CustomRoles): string[] {
  return Object.entries(roles).flatMap(([role, names]) =>
    names.flatMap((name, index) => {
      const method = methodsByName.get(name);
      if (method === undefined) return [`roles.${role}: item ${index + 1} is not the name of a method`];
      const access = accessOf(method);
      return access === "caller" || (access !== "public" && access?.includes("admin") === true)
        ? []
        : [`roles.${role}: item ${index + 1} is not a method of the role admin`];
    }),
  );
}
