import type { Call } from "../call/call.ts";
import type { KeyKind, KeyRecord } from "../core/key.ts";
import type { KeyService } from "../service/key-service.ts";
import { listKeys, type PageBounds } from "../service/list.ts";
import { mapInTurns } from "../turns.ts";
import { keyBytes, maxAnswerBytes } from "./answer-size.ts";
import { endOf, turnsOf } from "./call-turns.ts";
import { contextOf } from "./context.ts";
import { keyToMessage } from "./message.ts";

/** The fields that the requests of both lists of keys share. */
interface ListMessage {
  readonly pageSize: number;
  readonly pageToken: string;
  readonly filter: string;
  readonly orderBy: string;
  readonly includeTotalSize: boolean;
}

/** The limits of a page of records: of keys, or of settings, whose records hold all of their texts. */
export function recordPageBounds(call: Call): PageBounds<KeyRecord> {
  return { maxBytes: maxAnswerBytes, bytesOf: keyBytes, throwIfOver: endOf(call) };
}

/** Returns the resources of one page of keys, and the fields of the response beside them. */
export async function listFromRequest(service: KeyService, call: Call, kind: KeyKind, message: ListMessage) {
  const { pageSize, pageToken, filter, orderBy, includeTotalSize: hasTotalSize } = message;
  const request = { kind, pageSize, pageToken, filter, orderBy, hasTotalSize, ...recordPageBounds(call) };
  const { records, nextPageToken, totalSize } = await listKeys(service, contextOf(call).tenant, request);
  const nowMs = service.clock();
  const keys = await mapInTurns(records, (record) => keyToMessage(record, nowMs), turnsOf(call));
  return { keys, nextPageToken, ...(totalSize !== null && { totalSize }) };
}
