import type { VerifyApiKeyResponse } from "../../gen/keywright/v2alpha1/verification_pb.ts";

/** What an upstream learns about the caller, by the names of the headers. Empty where there is nothing. */
export type IdentityHeaders = Readonly<Record<(typeof identityHeaderNames)[number], string>>;

/** All of them are always sent, so that they overwrite what an end user sent under their names. */
export const identityHeaderNames = [
  "x-keywright-actor",
  "x-keywright-key-id",
  "x-keywright-scopes",
  "x-keywright-tenant",
  "x-keywright-metadata",
  "x-keywright-identity",
] as const;

/** Metadata has at most 4096 bytes. Keys that were stored before there was a bound may have more, and proxies refuse long headers. */
const maxMetadataBytes = 4096;
/** Not base64url: whoever decodes it fails, instead of taking the key for one without metadata. */
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
 * The text percent-encoded, but for visible ASCII other than `%`, `"` and `,`. So the value of a header never begins or ends with a space, is
 * never read as a list, and has one decoding.
 */
function headerText(text: string): string {
  return unsafe.test(text) ? text.toWellFormed().replace(eachUnsafe, encodeURIComponent) : text;
}

function metadataText(metadata: VerifyApiKeyResponse["metadata"]): string {
  if (metadata === undefined) return "";
  const bytes = Buffer.from(JSON.stringify(metadata));
  return bytes.length > maxMetadataBytes ? tooLongMetadata : bytes.toString("base64url");
}
