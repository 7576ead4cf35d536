import type { Call } from "../call/call.ts";
import type { KeyKind } from "../core/key.ts";
import type { ListPage, ListRequest } from "../service/list.ts";
import { keyBytes, maxAnswerBytes } from "./answer-size.ts";
import { endOf } from "./call-turns.ts";

/** The fields that the requests of both lists of keys share. */
interface ListMessage {
  readonly pageSize: number;
  readonly pageToken: string;
  readonly filter: string;
  readonly orderBy: string;
  readonly includeTotalSize: boolean;
}

export function listRequestOf(kind: KeyKind, message: ListMessage, call: Pick<Call, "signal">): ListRequest {
  const { pageSize, pageToken, filter, orderBy, includeTotalSize: hasTotalSize } = message;
  const bounds = { maxBytes: maxAnswerBytes, bytesOf: keyBytes, throwIfOver: endOf(call) };
  return { kind, pageSize, pageToken, filter, orderBy, hasTotalSize, ...bounds };
}

/** The fields of a response beside the keys. */
export function pageFields({ nextPageToken, totalSize }: ListPage) {
  return { nextPageToken, ...(totalSize !== null && { totalSize }) };
}
