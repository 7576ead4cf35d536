import type { JsonObject, JsonValue } from "./key.ts";

/**
 * One condition on a claim. `claim` is a path with dots; a claim whose own name has dots is found too. A claim that is a list matches if
 * one of its values does. Values are texts, booleans and whole numbers.
 */
export interface ClaimCondition {
  readonly claim: string;
  /**
   * `equals` and `one_of` compare whole values, `prefix` the beginning, `contains` also the words of a text, such as those of `scope`, but
   * not those of an item of a list: somebody may have named a group "not admin".
   */
  readonly test: "equals" | "contains" | "prefix";
  /** One of these. */
  readonly values: readonly string[];
}

/** Grants roles, tenants and scopes to callers whose claims match. */
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
 * Returns what each matching rule gives; empty if none matches. A rule gives the same whichever others match: its roles hold for its own
 * tenants, within its own ceiling. A rule without tenants grants its roles for `otherwise`.
 */
export function grantsOf(rules: readonly ClaimRule[], claims: JsonObject, otherwise: string): readonly Grant[] {
  return rules.flatMap((rule) => {
    const tenants = tenantsOf(rule, claims);
    if (tenants === undefined || !rule.when.every((condition) => holds(condition, claims))) return [];
    return [{ roles: rule.roles, tenants: tenants ?? [otherwise], scopeCeiling: rule.scopeCeiling }];
  });
}

/** Returns undefined if the tenants come from a claim that is missing or names no tenant. Then the rule does not match. */
function tenantsOf({ tenants }: ClaimRule, claims: JsonObject): "*" | readonly string[] | null | undefined {
  if (tenants === null || tenants === "*" || !("claim" in tenants)) return tenants as "*" | readonly string[] | null;
  const named = textsOf(claimAt(claims, tenants.claim)).filter((name) => tenantId.test(name));
  return named.length === 0 ? undefined : named;
}

function holds({ claim, test, values }: ClaimCondition, claims: JsonObject): boolean {
  const found = claimAt(claims, claim);
  const texts = test === "contains" && typeof found === "string" ? [found, ...found.split(" ")] : textsOf(found);
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

/** Other numbers than these have lost digits: two ids of an issuer could look the same. */
function textsOf(value: JsonValue | undefined): string[] {
  const values = Array.isArray(value) ? value : [value];
  return values.flatMap((item) =>
    typeof item === "string" || typeof item === "boolean" || Number.isSafeInteger(item) ? [String(item)] : [],
  );
}
