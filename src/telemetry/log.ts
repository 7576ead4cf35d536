import { type Logger, pino, stdTimeFunctions } from "pino";
import { createLogOutput, type LogOutput } from "./log-output.ts";
import { redactFields, redactText } from "./redact.ts";

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

/** Named values of a log line. An Error is written with its class, reason, message, stack and causes. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Structured log. Secrets cannot get into a line: members whose names tell of one are replaced at any depth, and so are credentials
 * inside texts (redact.ts). Fields must not be named `level`, `time` or `message`.
 */
export interface Log {
  /** For callers that would only build fields in vain. */
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

/** What a log writes to. A destination without `flush` writes at once and drops nothing. */
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

/** Drops what cannot be written, and says so on standard error once. */
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
