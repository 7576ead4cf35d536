import { parseRfc3339 } from "../core/rfc3339.ts";
import { defaultTenant } from "../core/tenant.ts";
import type { AdminToken } from "./config.ts";
import { eachOf, MalformedError, memberParser, type Parser, type RawValue, text } from "./parsers.ts";
import { roleNames, scopeCeiling, tenantNames } from "./role-parsers.ts";

const digestText = text((digest) => {
  if (!/^[0-9a-fA-F]{64}$/.test(digest)) throw new MalformedError("must be the SHA-256 of the token as 64 hex digits");
  return Buffer.from(digest, "hex");
});

/** The name of a token or an issuer. It has no colon, so it never equals the name of a caller from an issuer. */
export const nameText = text((name) => {
  if (!/^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$/.test(name)) throw new MalformedError("must be 1 to 63 letters, digits, or one of . _ @ -");
  return name;
});

const timeText = text((time) => {
  const timeMs = parseRfc3339(time);
  if (timeMs === null) throw new MalformedError("must be an RFC 3339 time such as 2026-01-31T00:00:00Z");
  return timeMs;
});

const tokenMembers = ["name", "sha256", "roles", "tenants", "expires", "scope_ceiling"];

/** Parses the YAML sequence `admin_tokens`. */
export const adminTokens: Parser<AdminToken[]> = (raw) => {
  if (!Array.isArray(raw)) throw new MalformedError("must be a list of name, sha256 and roles");
  const tokens = eachOf(raw, "", adminToken);
  checkUnique(tokens.map(({ name }) => name));
  return tokens;
};

export function checkUnique(names: readonly string[]): void {
  if (new Set(names).size < names.length) throw new MalformedError("names must be unique");
}

function adminToken(raw: RawValue, at: string): AdminToken {
  const member = memberParser(raw, tokenMembers, at);
  return {
    name: member("name", nameText, null),
    sha256: member("sha256", digestText, null),
    roles: member("roles", roleNames, null),
    tenants: member<AdminToken["tenants"]>("tenants", tenantNames, { otherwise: [defaultTenant] }),
    expireTimeMs: member<number | null>("expires", timeText, { otherwise: null }),
    scopeCeiling: member<readonly string[] | null>("scope_ceiling", scopeCeiling, { otherwise: null }),
  };
}
