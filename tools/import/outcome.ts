import type { BatchImportResult, ImportApiKeyRequest } from "../../gen/keywright/v2alpha1/imported_api_key_pb.ts";
import { BatchImportErrorCode } from "../../gen/keywright/v2alpha1/imported_api_key_pb.ts";
import type { Batch } from "./batches.ts";
import type { LineFailure } from "./failures.ts";
import { StoppedError } from "./problems.ts";

const prefix = "BATCH_IMPORT_ERROR_";
const reasons = new Map<number, string>(Object.entries(BatchImportErrorCode).map(([name, code]) => [code, name.slice(prefix.length)]));

/**
 * Returns the rows of a batch that failed, in the order of the input; all others were imported. Throws StoppedError if the service has no
 * room left. Then send the batch again once it has.
 */
export function failuresOf(batch: Batch, results: readonly BatchImportResult[]): readonly LineFailure[] {
  if (results.length !== batch.requests.length)
    throw new StoppedError(`the service returned ${results.length} results for ${batch.requests.length} keys`);
  const full = results.find(({ errorCode }) => errorCode === BatchImportErrorCode.BATCH_IMPORT_ERROR_RESOURCE_EXHAUSTED);
  if (full !== undefined) throw new StoppedError(`the service accepts no more keys: ${full.errorMessage}`);
  const failed = results.flatMap(({ index = -1, errorCode, errorMessage }) => {
    const request = batch.requests[index];
    const line = batch.lines[index];
    if (request === undefined || line === undefined) throw new StoppedError("the service returned a result for an unknown key");
    if (errorCode === BatchImportErrorCode.BATCH_IMPORT_ERROR_UNSPECIFIED) return [];
    return [
      { line, reason: reasons.get(errorCode) ?? String(errorCode), message: withLines(withoutKey(errorMessage, request), batch.lines) },
    ];
  });
  return inOrder([...failed, ...unreadableOf(batch)]);
}

export function unreadableOf({ unreadable }: Batch): readonly LineFailure[] {
  return unreadable.map(({ line, problem }) => ({ line, reason: "UNREADABLE", message: problem }));
}

function inOrder(failures: readonly LineFailure[]): readonly LineFailure[] {
  return failures.toSorted((a, b) => a.line - b.line);
}

/** Replaces the item numbers in the service's message by line numbers. */
function withLines(message: string, lines: readonly number[]): string {
  return message.replace(/requests\[(\d+)\]/g, (text, index) =>
    lines[Number(index)] === undefined ? text : `line ${lines[Number(index)]}`,
  );
}

/** The service does not quote keys. If another service did, the key would still not get into our files. */
function withoutKey(message: string, { rawKey, rawKeySha256 }: ImportApiKeyRequest): string {
  return [rawKey, rawKeySha256].filter((secret) => secret !== "").reduce((text, secret) => text.replaceAll(secret, "***"), message);
}
