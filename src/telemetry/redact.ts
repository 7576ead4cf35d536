/**
 * Returns copies of values that are safe to log. The name of a member decides, at any depth. Texts are searched for credentials as well,
 * because error messages quote their input. Byte arrays and protobuf messages are never written out: they are request contents.
 */

import { credentialMark, credentialsInText } from "../core/credential-shape.ts";

const redacted = "[redacted]";

/** Names end in one of these, in any casing and with or without separators: `raw_key`, `rawKey`, `x-api-key`, `clientSecret`. */
const secretName = /(credential|secret|token|jwt|macaroon|password|passwd|passphrase|authorization|cookie|apikey|rawkey|privatekey)s?$/;

const separator = /[^a-z0-9]/;
const separators = /[^a-z0-9]/g;

/** Private members of a JWK (RFC 7518). Only checked in an object with `kty`, because the names are short. */
const privateJwkMembers = new Set(["d", "p", "q", "dp", "dq", "qi", "oth", "k"]);

/** Matches every text that redactText changes. Most texts do not match, and testing first saves most of the search (bench/micro.ts). */
const hint = new RegExp(`://|bearer|basic|${credentialMark.source}`, "i");

const maxDepth = 8;
const maxTextLength = 8192;

/** The fields without secrets. */
export function redactFields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return redactMembers(fields, 0);
}

/** Replaces credentials, bearer tokens, JWTs, macaroons and the user info of URIs inside a text, and cuts very long ones. */
export function redactText(text: string): string {
  const short = text.length > maxTextLength ? `${text.slice(0, maxTextLength)}...` : text;
  if (!hint.test(short)) return short;
  const withoutLogins = short
    .replace(/(:\/\/)[^\s/?#]*@/g, `$1${redacted}@`)
    // No boundaries: in quoted JSON or a URL a credential may follow `\n` or `%0A`.
    .replace(/(Bearer|Basic)\s+[\w.~+/=-]+/gi, `$1 ${redacted}`);
  return credentialsInText.reduce((rest, pattern) => rest.replace(pattern, redacted), withoutLogins);
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === "string") return redactText(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return value;
  if (depth > maxDepth) return "[too deep]";
  if (value instanceof Error) return redactError(value, depth);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "[no date]" : value.toISOString();
  if (value instanceof URL) return redactText(value.href);
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (value instanceof Map) return redactMembers(Object.fromEntries(value), depth);
  if (value instanceof Set) return redactValue([...value], depth);
  if (Array.isArray(value)) return value.map((item) => redactValue(item, depth + 1));
  if ("$typeName" in value) return `[message ${String(value.$typeName)}]`;
  return redactMembers(value, depth);
}

function redactMembers(object: object, depth: number): Record<string, unknown> {
  const isJwk = "kty" in object;
  const copy: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(object)) {
    const isSecret = isSecretName(name) || (isJwk && privateJwkMembers.has(name));
    copy[redactText(name)] = isSecret && value !== null && value !== undefined ? redacted : redactValue(value, depth + 1);
  }
  return copy;
}

function isSecretName(name: string): boolean {
  const lower = name.toLowerCase();
  return secretName.test(lower) || (separator.test(lower) && secretName.test(lower.replaceAll(separators, "")));
}

/**
 * Class, reason or code, message, stack, causes, and the errors of an AggregateError. Other members of errors are omitted, because they
 * often quote what was sent.
 */
function redactError(error: Error, depth: number): Record<string, unknown> {
  const { reason, code } = error as { reason?: unknown; code?: unknown };
  return {
    type: error.name,
    ...(typeof reason === "string" ? { reason: redactText(reason) } : {}),
    ...(typeof code === "string" || typeof code === "number" ? { code } : {}),
    message: redactText(error.message),
    ...(error.stack === undefined ? {} : { stack: redactText(error.stack) }),
    ...(error.cause === undefined ? {} : { cause: redactValue(error.cause, depth + 1) }),
    ...(error instanceof AggregateError ? { errors: redactValue(error.errors, depth + 1) } : {}),
  };
}
