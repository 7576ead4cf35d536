import type { ImportApiKeyRequest } from "../../gen/keywright/v2alpha1/imported_api_key_pb.ts";

/** How much of the input precedes a position. */
export interface Position {
  /** Keys, including unreadable ones; not the header and not empty lines. */
  readonly rows: number;
  readonly lines: number;
  readonly bytes: number;
}

/** One key of the input. */
export interface Row {
  /** The line on which it begins, from 1. */
  readonly line: number;
  /** The position after it. */
  readonly end: Position;
  /** The request to send, or why the row cannot be read. Never contains a value of the row. */
  readonly content: { readonly request: ImportApiKeyRequest } | { readonly problem: string };
}

/** The rows of each chunk of input as it arrives. Rejects with StoppedError, naming the line, if the remaining rows cannot be separated. */
export type RowReader = (chunks: AsyncIterable<Buffer>) => AsyncGenerator<readonly Row[]>;

export const beginning: Position = { rows: 0, lines: 0, bytes: 0 };

/** No valid row is longer, because every field has a limit. */
export const maxRowBytes = 256 * 1024;

/** Decoding inserts this if the bytes are not UTF-8. A raw key must not be imported with a text other than its own. */
export const replacementCharacter = "\ufffd";
export const notUtf8 = "is not valid UTF-8";
