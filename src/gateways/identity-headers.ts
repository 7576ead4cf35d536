import type { VerifyApiKeyResponse } from "../../gen/keywright/v2alpha1/verification_pb.ts";

/** The identity of the caller for an upstream, by header name. A missing value is empty. */
export type IdentityHeaders = Readonly<Record<(typeof identityHeaderNames)[number], string>>;

/** All of them are always sent, so that they overwrite headers of the same names from an end user. */
export const identityHeaderNames = [
  "x-keywright-actor",
  "x-keywright-key-id",
  "x-keywright-scopes",
  "x-keywright-tenant",
  "x-keywright-metadata",
  "x-keywright-identity",
] as const;

/** Metadata has at most 4096 bytes. Keys that were stored before this limit existed may have more, and proxies refuse long headers. */
const maxMetadataBytes = 4096;
/** Not base64url, so that decoding fails instead of yielding no metadata. */
const tooLongMetadata = "*";

export function identityHeadersOf(verified: VerifyApiKeyResponse, tenant: string, identityToken: string): IdentityHeaders {
  return {
    "x-keywright-actor": headerText(verified.actorId),
    "x-keywright-key-id": verified.keyId,
    "x-keywright-scopes": verified.scopes.map(headerText).join(" "),
    "x-keywright-tenant": tenant,
    "x-keywright-metadata": metadataText(verified.metadata),
    "x-keywright-identity": identityToken,
  };
}

const unsafe = /[^\x21\x23-\x24\x26-\x2b\x2d-\x7e]/u;
const eachUnsafe = new RegExp(unsafe, "gu");

/**
 * Percent-encodes everything except visible ASCII other than `%`, `"` and `,`. So the value of a header never begins or ends with a space,
 * is never read as a list, and has one decoding.
 */
function headerText(text: string): string {
  return unsafe.test(text) ? text.toWellFormed().replace(eachUnsafe, encodeURIComponent) : text;
}

function metadataText(metadata: VerifyApiKeyResponse["metadata"]): string {
  if (metadata === undefined) return "";
  const bytes = Buffer.from(JSON.stringify(metadata));
  return bytes.length > maxMetadataBytes ? tooLongMetadata : bytes.toString("base64url");
}
