import type { ImportApiKeyRequest } from "../../../gen/keywright/v2alpha1/imported_api_key_pb.ts";
import type { IssueApiKeyRequest } from "../../../gen/keywright/v2alpha1/issued_api_key_pb.ts";
import { parseSha256 } from "../../core/credential.ts";
import { invalidField } from "../../error/failure.ts";
import type { ImportRequest } from "../../service/import.ts";
import type { NewKeyRequest } from "../../service/new-key.ts";
import { attributesFrom } from "../attributes.ts";
import { durationToMs, visibilityFromMessage } from "../message.ts";

/** The fields that issue and import requests have in common. */
export function newKeyFromMessage(request: IssueApiKeyRequest | ImportApiKeyRequest): NewKeyRequest {
  return {
    attributes: attributesFrom(request),
    actorId: request.actorId,
    visibility: visibilityFromMessage(request.visibility),
    ttlMs: durationToMs(request.ttl),
    requestId: request.requestId || null,
  };
}

/** Reads one import, alone or in a batch. Throws INVALID_REQUEST if the key is not given in exactly one way. */
export function importFromMessage(request: ImportApiKeyRequest): ImportRequest {
  return { ...newKeyFromMessage(request), key: keyOf(request) };
}

function keyOf({ rawKey, rawKeySha256 }: ImportApiKeyRequest): ImportRequest["key"] {
  if (rawKeySha256 === "") {
    if (rawKey === "") throw invalidField("raw_key", "must not be empty, unless raw_key_sha256 is given");
    return { raw: rawKey };
  }
  if (rawKey !== "") throw invalidField("raw_key_sha256", "must not stand beside raw_key");
  const sha256 = parseSha256(rawKeySha256);
  if (sha256 === null) throw invalidField("raw_key_sha256", "must be a SHA-256 in hex or base64");
  return { sha256 };
}
