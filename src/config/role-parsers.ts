import { roles as builtInRoles } from "../core/role.ts";
import { atPlace, list, MalformedError, membersOf, type Parser } from "./parsers.ts";

type CustomRoles = Readonly<Record<string, readonly string[]>>;

const maxRoles = 100;
const maxScopes = 1000;
/** Maximum length of a scope, a role or another single text. */
const maxTextChars = 255;

/** The name of a role, whether it exists or not. */
function roleName(text: string): string {
  if (!/^[a-z][a-z0-9_-]{0,62}$/.test(text)) throw new MalformedError("must be the name of a role");
  return text;
}

function methodName(text: string): string {
  if (!/^[A-Z][A-Za-z0-9]{0,99}$/.test(text)) throw new MalformedError("must be the name of a method such as AdminVerifyApiKey");
  return text;
}

/** Parses the YAML mapping `{name: [methods]}`. Method names are checked where the methods are known. */
export const customRoles: Parser<CustomRoles> = (raw) => {
  const entries = Object.entries(membersOf(raw, "a mapping of names to lists of methods"));
  if (entries.length > maxRoles) throw new MalformedError(`must have at most ${maxRoles} roles`);
  return Object.fromEntries(
    entries.map(([name, methods], index) => {
      if (!/^[a-z][a-z0-9_-]{0,62}$/.test(name)) {
        throw new MalformedError(`name ${index + 1} must begin with a letter and have 1 to 63 of a-z 0-9 _ -`);
      }
      if ((builtInRoles as readonly string[]).includes(name))
        throw new MalformedError("is a built-in role, which cannot be changed", `.${name}`);
      const names = atPlace("", () => list(methodName)(methods), `.${name}`);
      if (names.length === 0) throw new MalformedError("must have at least one method", `.${name}`);
      return [name, names];
    }),
  );
};

export const roleNames: Parser<string[]> = (raw) => {
  const names = list(roleName)(raw);
  if (names.length === 0) throw new MalformedError("must have at least one role");
  return names;
};

/** Returns a problem for each role that is neither built in nor in `roles`. `setting` is the setting whose items have roles. */
export function unknownRoles(setting: string, items: readonly { readonly roles: readonly string[] }[], custom: CustomRoles): string[] {
  const isKnown = (role: string) => (builtInRoles as readonly string[]).includes(role) || Object.hasOwn(custom, role);
  return items.flatMap(({ roles }, at) =>
    roles.flatMap((role, index) =>
      isKnown(role)
        ? []
        : [`${setting}[${at}].roles: item ${index + 1} must be ${builtInRoles.join(" or ")}, or a role of the setting roles`],
    ),
  );
}

/** Texts with a single value each, such as scopes. */
export function textItem(text: string): string {
  if (text === "" || text.length > maxTextChars) throw new MalformedError(`must have 1 to ${maxTextChars} characters`);
  return text;
}

export const scopeCeiling: Parser<string[]> = (raw) => {
  const scopes = list(textItem)(raw);
  if (scopes.length > maxScopes) throw new MalformedError(`must have at most ${maxScopes} scopes`);
  return scopes;
};

/** `*` or a list of tenants. */
export const tenantNames: Parser<"*" | readonly string[]> = (raw) => {
  const names = list(tenantName)(raw);
  if (names.includes("*")) return "*";
  if (names.length === 0) throw new MalformedError("must have at least one tenant");
  return names;
};

const tenantName = (name: string): string => {
  if (name !== "*" && !/^[a-z0-9-]{1,63}$/.test(name)) throw new MalformedError("must be * or 1 to 63 of a-z 0-9 -");
  return name;
};
