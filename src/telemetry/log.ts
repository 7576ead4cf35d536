import { type Logger, pino, stdTimeFunctions } from "pino";
import { createLogOutput, type LogOutput } from "./log-output.ts";
import { redactFields, redactText } from "./redact.ts";

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

/** Named values of a log line. An Error is written with its class, reason, message, stack and causes. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Structured log. Secrets cannot get into a line: members with the name of a secret are replaced at any depth, and so are credentials
 * inside texts (redact.ts). Fields must not be named `level`, `time` or `message`.
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

/** The destination of a log. One without `flush` writes immediately and drops nothing. */
export type LogDestination = Pick<LogOutput, "write"> & Partial<LogOutput>;

/** JSON lines with level, ISO time and message, on standard output unless another destination is given. */
export function createLog(level: LogLevel, to: LogDestination = standardOutput()): Log {
  const options = {
    level,
    base: null,
    messageKey: "message",
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return wrap(pino(options, to), to);
}

/** Drops lines that cannot be written, and reports that once on standard error. */
function standardOutput(): LogOutput {
  const standardError = createLogOutput(2, () => {});
  return createLogOutput(1, (reason) => {
    standardError.write(`keywright: log lines cannot be written to standard output and are dropped (${reason})\n`);
  });
}

function wrap(logger: Logger, to: LogDestination): Log {
  const at = (level: "debug" | "info" | "warn" | "error" | "fatal") => (fields: LogFields, message: string) => {
    if (logger.isLevelEnabled(level)) logger[level](redactFields(fields), redactText(message));
  };
  return {
    isEnabled: (level) => logger.isLevelEnabled(level),
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    fatal: at("fatal"),
    flush: async (timeoutMs) => (await to.flush?.(timeoutMs)) ?? true,
    get droppedCount() {
      return to.droppedCount ?? 0;
    },
    child: (fields) => wrap(logger.child(redactFields(fields)), to),
  };
}
