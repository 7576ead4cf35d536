import { write } from "node:fs";

/** The destination of log lines. */
export interface LogOutput {
  /** Accepts one line, which ends with a newline. Never throws and never waits. */
  write(line: string): void;
  /** Resolves with true once all lines so far are written or dropped, with false if that takes longer than `timeoutMs`. */
  flush(timeoutMs: number): Promise<boolean>;
  /** Number of dropped lines: the write failed, or too many were waiting. */
  readonly droppedCount: number;
}

/** Beyond this, new lines are dropped, because the reader has stopped and the process must not run out of memory. */
const maxWaitingChars = 16 * 1024 * 1024;
/** A failed write loses at most this many bytes, or one line. */
const maxWriteChars = 64 * 1024;
const retryMs = 20;

/**
 * Writes lines to a file descriptor on the thread pool, so that no caller waits for a disk or for the reader of the log. A line is written
 * immediately if no write is in progress, otherwise with the next write.
 *
 * A write that fails (a full disk, a closed reader) drops its lines. The next lines are written as usual. Retrying instead would keep the
 * process busy, and prevent its end, as long as the disk is full. `onFirstDrop` is called once in the life of the output.
 */
export function createLogOutput(fd: number, onFirstDrop: (reason: string) => void): LogOutput {
  const waiting: string[] = [];
  let waitingChars = 0;
  let isWriting = false;
  let droppedCount = 0;
  /** True if the output ends in the middle of a line. */
  let isLineOpen = false;
  let idle = Promise.withResolvers<void>();

  const drop = (count: number, reason: string) => {
    if (droppedCount === 0) onFirstDrop(reason);
    droppedCount += count;
  };

  const take = (): string[] => {
    let chars = 0;
    const end = waiting.findIndex((line) => {
      chars += line.length;
      return chars > maxWriteChars;
    });
    const taken = waiting.splice(0, end === -1 ? waiting.length : Math.max(1, end));
    for (const line of taken) waitingChars -= line.length;
    return taken;
  };

  const next = () => {
    const lines = take();
    isWriting = lines.length > 0;
    if (isWriting) return writeAll(Buffer.from((isLineOpen ? "\n" : "") + lines.join("")));
    idle.resolve();
    idle = Promise.withResolvers();
  };

  const writeAll = (bytes: Buffer) => {
    write(fd, bytes, 0, bytes.length, null, (error, writtenBytes) => {
      // The pipe is full, and someone made it non-blocking.
      if (error?.code === "EAGAIN") return void setTimeout(writeAll, retryMs, bytes);
      if (error !== null) {
        drop(countLines(bytes), error.code ?? error.message);
        return next();
      }
      if (writtenBytes > 0) isLineOpen = bytes[writtenBytes - 1] !== newline;
      if (writtenBytes < bytes.length) return writeAll(bytes.subarray(writtenBytes));
      next();
    });
  };

  return {
    write(line) {
      if (waitingChars + line.length > maxWaitingChars) return drop(1, "nobody reads the log");
      waiting.push(line);
      waitingChars += line.length;
      if (!isWriting) next();
    },

    async flush(timeoutMs) {
      if (!isWriting) return true;
      const timeout = Promise.withResolvers<false>();
      const timer = setTimeout(timeout.resolve, timeoutMs, false);
      const isDone = await Promise.race([idle.promise.then(() => true), timeout.promise]);
      clearTimeout(timer);
      return isDone;
    },

    get droppedCount() {
      return droppedCount;
    },
  };
}

const newline = 10;

function countLines(bytes: Buffer): number {
  let count = 0;
  for (const byte of bytes) if (byte === newline) count += 1;
  return count;
}
