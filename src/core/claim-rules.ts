import type { JsonObject, JsonValue } from "./key.ts";

/**
 * One condition on a claim. `claim` is a path with dots; a claim whose own name has dots is found too. A claim that is a list matches if
 * one of its values does.
 */
export interface ClaimCondition {
  readonly claim: string;
  /** `equals` and `one_of` compare whole values, `prefix` the beginning, `contains` also the words of a text, such as those of `scope`. */
  readonly test: "equals" | "contains" | "prefix";
  /** One of these. */
  readonly values: readonly string[];
}

/** What the claims of a caller grant. */
export interface ClaimRule {
  /** At least one. All of them must match. */
  readonly when: readonly ClaimCondition[];
  readonly roles: readonly string[];
  /** Null: the rule sets no tenants. */
  readonly tenants: "*" | readonly string[] | { readonly claim: string } | null;
  /** Null: the rule sets no ceiling. */
  readonly scopeCeiling: readonly string[] | null;
}

export interface Grant {
  readonly roles: readonly string[];
  readonly tenants: "*" | readonly string[];
  readonly scopeCeiling: readonly string[] | null;
}

const tenantId = /^[a-z0-9-]{1,63}$/;

/**
 * Returns what all matching rules grant together; null if none matches. Roles, tenants and ceilings add up. A rule without tenants or
 * without a ceiling adds nothing to those of other rules. If no rule sets tenants, the tenant is `otherwise`; if none sets a ceiling, there
 * is none.
 */
export function grantOf(rules: readonly ClaimRule[], claims: JsonObject, otherwise: string): Grant | null {
  const matching = rules.flatMap((rule) => {
    const tenants = tenantsOf(rule, claims);
    return tenants !== undefined && rule.when.every((condition) => holds(condition, claims)) ? [{ ...rule, tenants }] : [];
  });
  if (matching.length === 0) return null;
  const tenants = matching.flatMap((rule) => (rule.tenants === null ? [] : rule.tenants === "*" ? ["*"] : rule.tenants));
  const ceilings = matching.flatMap(({ scopeCeiling }) => (scopeCeiling === null ? [] : [scopeCeiling]));
  return {
    roles: unique(matching.flatMap(({ roles }) => roles)),
    tenants: tenants.includes("*") ? "*" : tenants.length === 0 ? [otherwise] : unique(tenants),
    scopeCeiling: ceilings.length === 0 ? null : unique(ceilings.flat()),
  };
}

/** Returns undefined if the tenants come from a claim that is missing or names no tenant. Then the rule does not match. */
function tenantsOf({ tenants }: ClaimRule, claims: JsonObject): "*" | readonly string[] | null | undefined {
  if (tenants === null || tenants === "*" || !("claim" in tenants)) return tenants as "*" | readonly string[] | null;
  const named = textsOf(claimAt(claims, tenants.claim)).filter((name) => tenantId.test(name));
  return named.length === 0 ? undefined : named;
}

function holds({ claim, test, values }: ClaimCondition, claims: JsonObject): boolean {
  const found = claimAt(claims, claim);
  const texts = test === "contains" ? textsOf(found).flatMap((text) => [text, ...text.split(" ")]) : textsOf(found);
  return texts.some((text) => values.some((value) => (test === "prefix" ? text.startsWith(value) : text === value)));
}

/** Tries the longest member that starts the path first: `kubernetes.io.namespace` finds `{"kubernetes.io": {"namespace": ...}}`. */
function claimAt(claims: JsonObject, path: string): JsonValue | undefined {
  if (Object.hasOwn(claims, path)) return claims[path];
  for (let dot = path.lastIndexOf("."); dot > 0; dot = path.lastIndexOf(".", dot - 1)) {
    const head = path.slice(0, dot);
    const inner = Object.hasOwn(claims, head) ? claims[head] : undefined;
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) continue;
    const found = claimAt(inner, path.slice(dot + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}

function textsOf(value: JsonValue | undefined): string[] {
  const values = Array.isArray(value) ? value : [value];
  return values.flatMap((item) =>
    typeof item === "string" || typeof item === "number" || typeof item === "boolean" ? [String(item)] : [],
  );
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
