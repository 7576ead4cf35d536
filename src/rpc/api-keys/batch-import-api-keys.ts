import type { ApiKeysService } from "../../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { type ImportApiKeyRequest, ImportApiKeyRequestSchema } from "../../../gen/keywright/v2alpha1/imported_api_key_pb.ts";
import type { Call } from "../../call/call.ts";
import type { Implementation } from "../../call/methods.ts";
import type { KeyRecord } from "../../core/key.ts";
import { Failure, violationsText } from "../../error/failure.ts";
import type { ImportRequest } from "../../service/import.ts";
import { type ImportResult, importKeys } from "../../service/import-many.ts";
import type { KeyService } from "../../service/key-service.ts";
import { mapInTurns } from "../../turns.ts";
import type { ViolationsOf } from "../../validation/violations.ts";
import { keyBytes, maxAnswerBytes } from "../answer-size.ts";
import { turnsOf } from "../call-turns.ts";
import { contextOf } from "../context.ts";
import { keyToMessage } from "../message.ts";
import { checkNewKey } from "../scope-ceiling.ts";
import { type BatchResponseSchema, failedResult, maxFailedResultBytes, noneImported } from "./batch-import-failure.ts";
import { importFromMessage } from "./create-request.ts";

/**
 * Batch import, under both names that the reference implementation has for it; their messages have the same fields. Each item succeeds or
 * fails alone. If none was imported, the call fails with their most frequent code. If the response would be too large for a client, it
 * omits the keys, because they were imported and the client must learn that.
 */
export function batchImportApiKeys(
  service: KeyService,
  violationsOf: ViolationsOf,
  responseSchema: BatchResponseSchema,
): Implementation<typeof ApiKeysService.method.adminBatchImportApiKeys> &
  Implementation<typeof ApiKeysService.method.adminBatchCreateImportedApiKeys> {
  return async ({ requests, requestId = "", compactResults = false }: BatchRequest, call: Call) => {
    const turns = turnsOf(call);
    const items = await mapInTurns(requests, (request) => itemOf(request, violationsOf, call), turns);
    const { tenant, origin } = contextOf(call);
    const imported = await importKeys(service, tenant, origin(), { items, requestId: requestId || null, turns });
    const failures = imported.filter((result) => result instanceof Failure);
    if (failures.length === imported.length && !compactResults) throw noneImported(failures, responseSchema);
    const nowMs = service.clock();
    const isCompact = compactResults || (await bytesOf(imported)) > maxAnswerBytes;
    const success = (record: KeyRecord | null, index: number) =>
      isCompact || record === null ? { index } : { index, importedApiKey: keyToMessage(record, nowMs) };
    const results = await mapInTurns(imported, (result, index) =>
      result instanceof Failure ? failedResult(index, result) : success(result, index),
    );
    return { results, successCount: imported.length - failures.length, failureCount: failures.length };
  };
}

async function bytesOf(imported: readonly ImportResult[]): Promise<number> {
  const bytes = await mapInTurns(imported, (result) =>
    result === null || result instanceof Failure ? maxFailedResultBytes : keyBytes(result),
  );
  return bytes.reduce((sum, more) => sum + more, 0);
}

/** Only the request with the first name has the extensions `requestId` and `compactResults`. */
interface BatchRequest {
  readonly requests: readonly ImportApiKeyRequest[];
  readonly requestId?: string;
  readonly compactResults?: boolean;
}

function itemOf(request: ImportApiKeyRequest, violationsOf: ViolationsOf, call: Call): ImportRequest | Failure {
  const violations = violationsOf(ImportApiKeyRequestSchema, request);
  if (violations.length > 0) return new Failure("INVALID_REQUEST", { message: violationsText(violations), violations });
  try {
    const wanted = importFromMessage(request);
    checkNewKey(call, wanted.attributes);
    return wanted;
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
}
