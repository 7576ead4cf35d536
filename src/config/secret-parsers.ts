import { createHash } from "node:crypto";
import { parseRfc3339 } from "../core/rfc3339.ts";
import { roles } from "../core/role.ts";
import type { ServerSecrets } from "../core/subkeys.ts";
import { isTenantId } from "../core/tenant.ts";
import type { AdminToken } from "./config.ts";
import { atPlace, list, MalformedError, oneOf, type Parser, type RawValue, text } from "./parsers.ts";

export const minSecretLength = 32;

/** A server secret: at least 32 printable characters. */
export function serverSecret(text: string): string {
  if (text.length < minSecretLength) throw new MalformedError(`must have at least ${minSecretLength} characters`);
  if (!/^[\x20-\x7e]+$/.test(text)) throw new MalformedError("must contain only printable ASCII characters");
  return text;
}

/** `<secret>` or `<secret>;expires=<RFC 3339 time>`. */
export function retiredSecret(text: string): ServerSecrets["retired"][number] {
  const marker = text.lastIndexOf(";expires=");
  if (marker === -1) return { secret: serverSecret(text), expireTimeMs: null };
  const time = text.slice(marker + ";expires=".length);
  const expireTimeMs = parseRfc3339(time);
  if (expireTimeMs === null) throw new MalformedError("expires= must be followed by an RFC 3339 time such as 2026-01-31T00:00:00Z");
  return { secret: serverSecret(text.slice(0, marker)), expireTimeMs };
}

/** A bearer token (`b64token` of RFC 6750) of at least 32 characters. */
export function bearerToken(text: string): string {
  if (text.length < minSecretLength) throw new MalformedError(`must have at least ${minSecretLength} characters`);
  if (!/^[A-Za-z0-9._~+/-]+=*$/.test(text))
    throw new MalformedError("may contain only A-Z a-z 0-9 - . _ ~ + / and = at the end (RFC 6750)");
  return text;
}

/** The token as it is kept: its SHA-256. */
export function adminTokenOf(name: string, token: string): AdminToken {
  return { name, sha256: createHash("sha256").update(token).digest(), roles: ["admin"], tenants: "*" };
}

/** The URI of a JWK Set. */
export function jwkSetUri(text: string): string {
  if (!/^(file:\/\/\/|https:\/\/[^/]|base64:\/\/[A-Za-z0-9+/_-])\S+$/.test(text)) {
    throw new MalformedError("must be a file://, https:// or base64:// URI of a JWK Set");
  }
  return text;
}

const digestText = text((digest) => {
  if (!/^[0-9a-fA-F]{64}$/.test(digest)) throw new MalformedError("must be the SHA-256 of the token as 64 hex digits");
  return Buffer.from(digest, "hex");
});

const nameText = text((name) => {
  if (!/^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$/.test(name)) throw new MalformedError("must be 1 to 63 letters, digits, or one of . _ @ -");
  return name;
});

const rolesList = list(oneOf(...roles));

const tenantIds = list(text((id) => {
  if (id !== "*" && !isTenantId(id)) throw new MalformedError("must be the id of a tenant, or *");
  return id;
}));

const tenantsList: Parser<"*" | string[]> = (raw) => {
  const ids = tenantIds(raw);
  return ids.includes("*") ? "*" : ids;
};

/** The YAML sequence `[{name, sha256, roles}]`. */
export const adminTokens: Parser<AdminToken[]> = (raw) => {
  if (!Array.isArray(raw)) throw new MalformedError("must be a list of name, sha256 and roles");
  const tokens = raw.map((item: RawValue, index) => adminToken(item, `[${index}]`));
  const names = tokens.map((token) => token.name);
  if (new Set(names).size < names.length) throw new MalformedError("names must be unique");
  return tokens;
};

function adminToken(raw: RawValue, at: string): AdminToken {
  if (typeof raw !== "object" || Array.isArray(raw)) throw new MalformedError("must have name, sha256 and roles", at);
  const members = raw as { readonly [name: string]: RawValue };
  for (const name of Object.keys(members)) {
    if (!["name", "sha256", "roles", "tenants"].includes(name))
      throw new MalformedError("unknown member; must be name, sha256, roles or tenants", `${at}.${name}`);
  }
  const member = <T>(name: string, parse: Parser<T>) => atPlace("", () => parse(members[name] ?? ""), `${at}.${name}`);
  const token = {
    name: member("name", nameText),
    sha256: member("sha256", digestText),
    roles: member("roles", rolesList),
    tenants: members.tenants === undefined ? ["default"] : member("tenants", tenantsList),
  };
  if (token.roles.length === 0) throw new MalformedError("must have at least one role", `${at}.roles`);
  return token;
}
