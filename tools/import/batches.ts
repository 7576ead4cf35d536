import type { ImportApiKeyRequest } from "../../gen/keywright/v2alpha1/imported_api_key_pb.ts";
import type { PrefixDigest } from "./prefix-digest.ts";
import { beginning, type Position, type Row } from "./rows.ts";

/** Consecutive rows that are sent in one request. */
export interface Batch {
  readonly start: Position;
  readonly end: Position;
  /** SHA-256, in hex, of the input up to the end of the batch. */
  readonly sha256: string;
  /** The items to send, and the line on which each begins. */
  readonly requests: readonly ImportApiKeyRequest[];
  readonly lines: readonly number[];
  /** Rows that cannot be read. */
  readonly unreadable: readonly { readonly line: number; readonly problem: string }[];
}

const maxRows = 1000;
/** Bytes of input. A batch may have 16 MiB, and metadata may grow to six times its length in JSON. */
const maxInputBytes = 2 * 1024 * 1024;

/**
 * Splits the input after the first `skipLines` lines into batches. The same input is always split in the same way; the ids of batches
 * depend on that.
 */
export async function* batchesOf(rows: AsyncIterable<readonly Row[]>, digest: PrefixDigest, skipLines: number): AsyncGenerator<Batch> {
  let start: Position = beginning;
  let waiting: Row[] = [];
  for await (const chunk of rows) {
    for (const row of chunk) {
      if (row.end.lines <= skipLines) {
        start = row.end;
        continue;
      }
      waiting.push(row);
      if (waiting.length === maxRows || row.end.bytes - start.bytes >= maxInputBytes) {
        yield batchOf(start, waiting, digest);
        start = row.end;
        waiting = [];
      }
    }
  }
  if (waiting.length > 0) yield batchOf(start, waiting, digest);
}

function batchOf(start: Position, rows: readonly Row[], digest: PrefixDigest): Batch {
  const { end } = rows.at(-1) as Row;
  const requests: ImportApiKeyRequest[] = [];
  const lines: number[] = [];
  const unreadable: { line: number; problem: string }[] = [];
  for (const { line, content } of rows) {
    if ("problem" in content) {
      unreadable.push({ line, problem: content.problem });
    } else {
      requests.push(content.request);
      lines.push(line);
    }
  }
  return { start, end, sha256: digest.upTo(end.bytes), requests, lines, unreadable };
}
