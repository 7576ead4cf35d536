import type { KeyRecord } from "../../core/key.ts";
import type { RequestMark, UsedRequest } from "../../ports/key-store.ts";
import { type KeyDocument, markId, type RequestMarkDocument, recordOf, type Tombstone } from "./document.ts";

export function markOf(
  tenant: string,
  { kind, keyId }: KeyRecord,
  { requestId, payloadDigest }: RequestMark,
  nowMs: number,
): RequestMarkDocument {
  return { _id: markId(tenant, kind, requestId), requestId, payloadDigest, keyId, createTime: new Date(nowMs) };
}

/** Returns the key that a request made, unless it was deleted since. Another key, or a tombstone, with its id does not count. */
export function usedRequestOf(mark: RequestMarkDocument, document: KeyDocument | Tombstone | undefined): UsedRequest {
  const isOfMark = document !== undefined && "kind" in document && document.requestId === mark.requestId;
  return { payloadDigest: mark.payloadDigest, record: isOfMark ? recordOf(document) : null };
}
