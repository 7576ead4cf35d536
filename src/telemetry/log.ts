import { type Logger, pino, stdTimeFunctions } from "pino";
import type { Log, LogFields } from "../ports/log.ts";
import { createLogOutput, type LogOutput } from "./log-output.ts";
import { redactFields, redactText } from "./redact.ts";

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

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
export function standardOutput(): LogOutput {
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
