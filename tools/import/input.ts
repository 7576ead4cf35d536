import { createReadStream, statSync } from "node:fs";
import { addAbortSignal, type Readable } from "node:stream";
import type { PrefixDigest } from "./prefix-digest.ts";
import { UsageError } from "./problems.ts";

export interface Input {
  readonly chunks: AsyncIterable<Buffer>;
  /** Null if unknown in advance. */
  readonly totalBytes: number | null;
}

const chunkBytes = 256 * 1024;

/**
 * Opens the input, which passes through `digest` as it is read. Reading rejects with an AbortError once `stop` aborts. Throws UsageError if
 * the file does not exist.
 */
export function openInput(path: string | null, stdin: Readable, digest: PrefixDigest, stop: AbortSignal): Input {
  if (path === null) return { chunks: through(addAbortSignal(stop, stdin), digest), totalBytes: null };
  try {
    const stats = statSync(path);
    if (stats.isDirectory()) throw new UsageError(`${path}: is a directory`);
    const stream = addAbortSignal(stop, createReadStream(path, { highWaterMark: chunkBytes }));
    return { chunks: through(stream, digest), totalBytes: stats.isFile() ? stats.size : null };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${path}: cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

async function* through(stream: Readable, digest: PrefixDigest): AsyncGenerator<Buffer> {
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    digest.add(chunk);
    yield chunk;
  }
}
