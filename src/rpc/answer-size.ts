import type { AuditEvent } from "../core/audit.ts";
import type { JsonValue, KeyRecord } from "../core/key.ts";
import type { Verified } from "../service/judge.ts";

/**
 * Maximum size of a response in protobuf, because gRPC clients refuse more than 4 MiB by default. Page tokens, tags and lengths of the
 * response itself fit into the rest. JSON of the same response may be longer.
 */
export const maxAnswerBytes = 4 * 1024 * 1024 - 8192;

/** About the size of a verification's result with 100 scopes of 256 characters and the largest metadata and custom claims. */
export const maxVerifiedBytes = 72 * 1024;

/** Bytes of a field besides its text: a tag of up to two bytes and a length of up to three. */
const overheadBytes = 5;
/** Status, visibility, times, rate limits, and their tags. */
const fixedBytes = 384;
const numberBytes = 9;

/** Fields of a record that `fixedBytes` covers, and fields that are not in a response. */
type FixedField = "visibility" | "rateLimitPolicy" | "createTimeMs" | "updateTimeMs" | "expireTimeMs" | "lastUsedTimeMs" | "disabled";
type HiddenField = "kind" | "revision" | "firstRevision" | "digest";

/** Maximum bytes of each other field. */
const keyFieldBytes: Readonly<Record<Exclude<keyof KeyRecord, FixedField | HiddenField>, (record: KeyRecord) => number>> = {
  keyId: ({ keyId }) => textBytes(keyId),
  name: ({ name }) => textBytes(name),
  actorId: ({ actorId }) => textBytes(actorId),
  scopes: ({ scopes }) => textBytes(...scopes),
  allowedCidrs: ({ allowedCidrs }) => textBytes(...allowedCidrs),
  metadata: ({ metadata }) => jsonBytes(metadata),
  lineageId: ({ lineageId }) => textBytes(lineageId),
  supersededBy: ({ supersededBy }) => textBytes(supersededBy ?? ""),
  revocation: ({ revocation }) => textBytes(revocation?.description ?? ""),
};
const keyFields = Object.values(keyFieldBytes);

/** Maximum bytes of a key in a response. */
export function keyBytes(record: KeyRecord): number {
  return keyFields.reduce((sum, bytesIn) => sum + bytesIn(record), fixedBytes);
}

/** The same for the result of a verification. */
export function verifiedBytes({ verdict, customClaims }: Verified, issuer: string): number {
  const { record } = verdict;
  if (record === null) return fixedBytes;
  const identityBytes = fixedBytes + textBytes(record.keyId, record.actorId);
  if (!verdict.isValid) return identityBytes;
  return (
    identityBytes + textBytes(issuer, record.supersededBy ?? "", ...record.scopes) + jsonBytes(record.metadata) + jsonBytes(customClaims)
  );
}

/** The same for an event of the audit trail. */
export function eventBytes(event: AuditEvent): number {
  const { eventId, method, caller, clientAddress, requestId, keyIds, changedFields, errorReason } = event;
  return fixedBytes + textBytes(eventId, method, caller, clientAddress, requestId, errorReason ?? "", ...keyIds, ...changedFields);
}

function textBytes(...texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + overheadBytes + Buffer.byteLength(text), 0);
}

/** Maximum bytes of JSON as google.protobuf.Struct, which can be five times as long as the text. */
function jsonBytes(value: JsonValue): number {
  if (typeof value === "string") return textBytes(value);
  if (typeof value !== "object" || value === null) return numberBytes;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + overheadBytes + jsonBytes(item), overheadBytes);
  return Object.entries(value).reduce(
    (sum, [name, member]) => sum + 2 * overheadBytes + textBytes(name) + jsonBytes(member),
    overheadBytes,
  );
}
