import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { BatchCreateImportedApiKeysResponseSchema } from "../../../gen/keywright/v2alpha1/batch_create_pb.ts";
import {
  type BatchImportApiKeysResponseSchema,
  BatchImportErrorCode,
  type BatchImportResultSchema,
} from "../../../gen/keywright/v2alpha1/imported_api_key_pb.ts";
import { Failure, type FieldViolation } from "../../error/failure.ts";
import { type CodeName, errorTable } from "../../error/table.ts";

export type BatchResponseSchema = typeof BatchImportApiKeysResponseSchema | typeof BatchCreateImportedApiKeysResponseSchema;

/** BatchCreateImportedApiKeysErrorCode has the same numbers. */
const itemCodes: Partial<Record<CodeName, BatchImportErrorCode>> = {
  INVALID_ARGUMENT: BatchImportErrorCode.BATCH_IMPORT_ERROR_INVALID_ARGUMENT,
  // Scopes beyond the caller's ceiling. INTERNAL would ask the caller to try again.
  PERMISSION_DENIED: BatchImportErrorCode.BATCH_IMPORT_ERROR_INVALID_ARGUMENT,
  ALREADY_EXISTS: BatchImportErrorCode.BATCH_IMPORT_ERROR_ALREADY_EXISTS,
  FAILED_PRECONDITION: BatchImportErrorCode.BATCH_IMPORT_ERROR_FAILED_PRECONDITION,
  RESOURCE_EXHAUSTED: BatchImportErrorCode.BATCH_IMPORT_ERROR_RESOURCE_EXHAUSTED,
};

/** Limits the text, because a request can break the rules in any number of places. */
const maxMessageChars = 192;
/** Three bytes per character, and the numbers. */
export const maxFailedResultBytes = 3 * maxMessageChars + 32;
/** The space in gRPC's trailers (see call/error-details.ts) for the items and for the invalid fields. */
const maxResultBytes = 2560;
const maxViolationBytes = 1024;
/** Tags, lengths, index and code of an item. */
const maxOverheadBytes = 12;

export function failedResult(index: number, failure: Failure): MessageInitShape<typeof BatchImportResultSchema> {
  const { message } = failure;
  return {
    index,
    errorCode: itemCodes[codeOf(failure)] ?? BatchImportErrorCode.BATCH_IMPORT_ERROR_INTERNAL,
    errorMessage: message.length <= maxMessageChars ? message : `${message.slice(0, maxMessageChars - 3)}...`,
  };
}

/**
 * The failure of a batch in which no item succeeded. Its code is the most frequent one (on a tie, the first). A detail contains the
 * response as it would have been, cut to the available space; if it was cut, the message says so.
 */
export function noneImported(failures: readonly Failure[], responseSchema: BatchResponseSchema): Failure {
  const code = mostCommonCode(failures);
  const index = failures.findIndex((failure) => codeOf(failure) === code);
  const { reason, message, quota } = failures[index] as Failure;
  const all = failures.map((failure, at) => failedResult(at, failure));
  const results = firstThatFit(all, ({ errorMessage = "" }) => errorMessage, maxResultBytes);
  const response = create(responseSchema, { results, successCount: 0, failureCount: failures.length });
  const cut = results.length < failures.length ? ` (the details hold the first ${results.length} of them)` : "";
  return new Failure(reason, {
    message: `none of ${failures.length} keys was imported${cut}; requests[${index}]: ${message}`,
    violations:
      code === "INVALID_ARGUMENT"
        ? firstThatFit(violationsIn(failures), ({ field, description }) => field + description, maxViolationBytes)
        : [],
    ...(quota !== null && { quota }),
    details: [{ typeName: responseSchema.typeName, value: toBinary(responseSchema, response) }],
  });
}

function mostCommonCode(failures: readonly Failure[]): CodeName {
  const counts = new Map<CodeName, number>();
  for (const failure of failures) counts.set(codeOf(failure), (counts.get(codeOf(failure)) ?? 0) + 1);
  const most = Math.max(...counts.values());
  return [...counts.keys()].find((code) => counts.get(code) === most) as CodeName;
}

function violationsIn(failures: readonly Failure[]): FieldViolation[] {
  return failures.flatMap(({ violations }, index) =>
    violations.map(({ field, description }) => ({ field: `requests[${index}].${field}`, description })),
  );
}

function firstThatFit<T>(items: readonly T[], textOf: (item: T) => string, maxBytes: number): T[] {
  let bytes = 0;
  return items.filter((item) => {
    bytes += Buffer.byteLength(textOf(item)) + maxOverheadBytes;
    return bytes <= maxBytes;
  });
}

function codeOf({ reason }: Failure): CodeName {
  return errorTable[reason].code;
}
