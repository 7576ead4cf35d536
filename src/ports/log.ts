/** Named values of a log line. An Error is written with its class, reason, message, stack and causes. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Structured log. Secrets cannot get into a line: members with the name of a secret are replaced at any depth, and so are credentials
 * inside texts. Fields must not be named `level`, `time` or `message`.
 */
export interface Log {
  /** Lets callers avoid building fields that would not be logged. */
  isEnabled(level: "debug" | "info"): boolean;
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  fatal(fields: LogFields, message: string): void;
  /**
   * Resolves with true once everything so far is written or dropped, with false if that takes longer than `timeoutMs`. Wait for it before
   * `process.exit`.
   */
  flush(timeoutMs: number): Promise<boolean>;
  /** Lines that could not be written. */
  readonly droppedCount: number;
  /** A log that adds `fields` to every line. */
  child(fields: LogFields): Log;
}
