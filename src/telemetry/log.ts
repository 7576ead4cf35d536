import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from "pino";
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
  /** Resolves when everything so far is written. To be waited for before `process.exit`. */
  flush(): Promise<void>;
  /** A log that adds `fields` to every line. */
  child(fields: LogFields): Log;
}

/** JSON lines with level, ISO time and message, on standard output unless another destination is given. */
export function createLog(level: LogLevel, to: DestinationStream = standardOutput()): Log {
  return wrap(
    pino(
      {
        level,
        base: null,
        messageKey: "message",
        timestamp: stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
      },
      to,
    ),
  );
}

/**
 * Written by the thread pool, so a request never waits for whoever reads the log: a line is on its way at once where no write is under
 * way, else with the next one. A process that ends without `flush` can lose the write that is under way. Where the reader stops, lines
 * beyond 16 MiB are dropped rather than let the process run out of memory.
 */
function standardOutput(): DestinationStream {
  // With a minimal length of 0 the stream does not wait for anything when it is flushed.
  return destination({ dest: 1, sync: false, minLength: 1, maxLength: 16 * 1024 * 1024 });
}

function wrap(logger: Logger): Log {
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
    flush: () => new Promise((resolve) => logger.flush(() => resolve())),
    child: (fields) => wrap(logger.child(redactFields(fields))),
  };
}
