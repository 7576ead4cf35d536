import { createHash } from "node:crypto";
import { parseRfc3339 } from "../core/rfc3339.ts";
import type { ServerSecrets } from "../core/subkeys.ts";
import type { AdminToken } from "./config.ts";
import { MalformedError } from "./parsers.ts";

const minSecretLength = 32;

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
  return { secret: serverSecret(text.slice(0, marker).trimEnd()), expireTimeMs };
}

/** A bearer token (`b64token` of RFC 6750) of at least 32 characters. */
export function bearerToken(text: string): string {
  if (text.length < minSecretLength) throw new MalformedError(`must have at least ${minSecretLength} characters`);
  if (!/^[A-Za-z0-9._~+/-]+=*$/.test(text))
    throw new MalformedError("may contain only A-Z a-z 0-9 - . _ ~ + / and = at the end (RFC 6750)");
  return text;
}

/** The token as it is stored: its SHA-256. */
export function adminTokenOf(name: string, token: string): AdminToken {
  return {
    name,
    sha256: createHash("sha256").update(token).digest(),
    roles: ["admin"],
    tenants: "*",
    expireTimeMs: null,
    scopeCeiling: null,
  };
}

/** The URI of a JWK Set. */
export function jwkSetUri(text: string): string {
  if (!/^(file:\/\/\/|https:\/\/[^/]|base64:\/\/[A-Za-z0-9+/_-])\S+$/.test(text)) {
    throw new MalformedError("must be a file://, https:// or base64:// URI of a JWK Set");
  }
  return text;
}
