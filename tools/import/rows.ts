import type { ImportApiKeyRequest } from "../../gen/keywright/v2alpha1/imported_api_key_pb.ts";

/** How much of the input lies before a place in it. */
export interface Position {
  /** Keys, the unreadable ones too; no header and no empty lines. */
  readonly rows: number;
  readonly lines: number;
  readonly bytes: number;
}

/** One key of the input. */
export interface Row {
  /** On which it begins, from 1. */
  readonly line: number;
  /** Behind it. */
  readonly end: Position;
  /** What to send, or why it cannot be read. Never holds a value of the row. */
  readonly content: { readonly request: ImportApiKeyRequest } | { readonly problem: string };
}

/** The rows of each chunk of input as it comes. Rejects with StoppedError, naming the line, where the rest cannot be told apart. */
export type RowReader = (chunks: AsyncIterable<Buffer>) => AsyncGenerator<readonly Row[]>;

export const beginning: Position = { rows: 0, lines: 0, bytes: 0 };

/** Longer rows are none: every field has a bound. */
export const maxRowBytes = 256 * 1024;

/** What decoding leaves where the bytes are no UTF-8. A raw key must not be imported with another text than it has. */
export const replacementCharacter = "\ufffd";
export const notUtf8 = "is not valid UTF-8";
