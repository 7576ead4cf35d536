import type { ClaimCondition, ClaimRule } from "../core/claim-rules.ts";
import { dayMs, hourMs, secondMs } from "../core/time-units.ts";
import { checkUnique, nameText } from "./caller-parsers.ts";
import type { AdminIssuer } from "./config.ts";
import { duration } from "./duration.ts";
import { eachOf, issuer, list, MalformedError, memberParser, oneOf, type Parser, type RawValue, text } from "./parsers.ts";
import { roleNames, scopeCeiling, tenantNames, textItem } from "./role-parsers.ts";

/** Algorithms with a public key. With a symmetric key, anyone who can verify a token could also create one. */
const algorithms = ["EdDSA", "Ed25519", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"] as const;
const maxListItems = 100;
const issuerMembers = ["name", "issuer", "audience", "jwks_uri", "algorithms", "max_life", "rules"];

const texts: Parser<string[]> = (raw) => {
  const items = list(textItem)(raw);
  if (items.length === 0) throw new MalformedError("must not be empty");
  return items;
};

const jwksUri = text((uri) => {
  if (!/^(https?:\/\/[^/]|file:\/\/\/)\S+$/.test(uri) || !URL.canParse(uri))
    throw new MalformedError("must be an https://, http:// or file:// URI");
  return uri;
});

/** Parses the YAML sequence `admin_issuers`. */
export const adminIssuers: Parser<AdminIssuer[]> = (raw) => {
  const issuers = items(raw, "", adminIssuer);
  checkUnique(issuers.map(({ name }) => name));
  if (issuers.some(({ name }) => name === "certificate"))
    throw new MalformedError("no issuer may be named certificate, with which the names of callers by certificate begin");
  if (new Set(issuers.map((item) => item.issuer)).size < issuers.length) throw new MalformedError("issuers must be unique");
  return issuers;
};

function adminIssuer(raw: RawValue, at: string): AdminIssuer {
  const member = memberParser(raw, issuerMembers, at);
  return {
    name: member("name", nameText, null),
    issuer: member("issuer", text(issuer), null),
    audience: member("audience", texts, null),
    jwksUri: member<string | null>("jwks_uri", jwksUri, { otherwise: null }),
    algorithms: member<readonly string[]>("algorithms", list(oneOf(...algorithms)), { otherwise: ["RS256", "ES256", "EdDSA"] }),
    maxLifeMs: member("max_life", text(duration(secondMs, 366 * dayMs)), { otherwise: hourMs }),
    rules: claimRules((raw as { readonly rules?: RawValue }).rules ?? "", `${at}.rules`),
  };
}

/** Parses the YAML sequence `admin_certificates`. A certificate has no other claims than these, so any other claim is a mistake. */
export const adminCertificates: Parser<ClaimRule[]> = (raw) => {
  const rules = claimRules(raw);
  for (const [at, { when, tenants }] of rules.entries()) {
    const claims = [...when, ...(tenants !== null && typeof tenants === "object" && "claim" in tenants ? [tenants] : [])];
    if (!claims.every(({ claim }) => /^(uri|dns|subject\..+)$/.test(claim))) {
      throw new MalformedError("claims must be uri, dns, or subject and an attribute such as subject.CN", `[${at}]`);
    }
  }
  return rules;
};

/** Parses a YAML sequence of rules. */
function claimRules(raw: RawValue, at = ""): ClaimRule[] {
  return items(raw, at, claimRule);
}

function claimRule(raw: RawValue, at: string): ClaimRule {
  const member = memberParser(raw, ["when", "roles", "tenants", "scope_ceiling"], at);
  return {
    when: items((raw as { readonly when?: RawValue }).when ?? "", `${at}.when`, condition),
    roles: member("roles", roleNames, null),
    tenants: member<ClaimRule["tenants"]>("tenants", ruleTenants, { otherwise: null }),
    scopeCeiling: member<readonly string[] | null>("scope_ceiling", scopeCeiling, { otherwise: null }),
  };
}

const ruleTenants: Parser<ClaimRule["tenants"]> = (raw) => {
  if (typeof raw === "string" || Array.isArray(raw)) return tenantNames(raw);
  return { claim: memberParser(raw, ["claim"], "")("claim", text(textItem), null) };
};

const tests = ["equals", "one_of", "contains", "prefix"] as const;

function condition(raw: RawValue, at: string): ClaimCondition {
  const member = memberParser(raw, ["claim", ...tests], at);
  const given = tests.filter((name) => Object.hasOwn(raw as object, name));
  const [name] = given;
  if (name === undefined || given.length > 1) throw new MalformedError(`must have one of ${tests.join(", ")}`, at);
  return {
    claim: member("claim", text(textItem), null),
    test: name === "one_of" ? "equals" : name,
    values: name === "one_of" ? member(name, texts, null) : [member(name, text(textItem), null)],
  };
}

function items<T>(raw: RawValue, at: string, parse: (item: RawValue, at: string) => T): T[] {
  if (!Array.isArray(raw) || raw.length === 0 || raw.length > maxListItems) {
    throw new MalformedError(`must be a list of 1 to ${maxListItems} items`, at);
  }
  return eachOf(raw, at, parse);
}
