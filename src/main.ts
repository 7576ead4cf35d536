import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type App, createApp } from "./app.ts";
import { completeSecrets } from "./config/bootstrap.ts";
import { loadConfig } from "./config/load.ts";
import { ConfigError } from "./config/problems.ts";
import { helpText } from "./config/settings-text.ts";
import { createLog, type Log } from "./telemetry/log.ts";
import { redactText } from "./telemetry/redact.ts";

/** EX_CONFIG of sysexits.h: starting again will not help. */
const configurationExitCode = 78;

async function main(): Promise<void> {
  const options = commandLine(process.argv.slice(2));
  if (options.help === true) return console.log(helpText());
  if (options.version === true) return console.log(packageVersion());

  const { config, given } = loadConfig(process.env, options.config === undefined ? null : configFile(options.config));
  const log = createLog(config.logLevel);
  // From here on all errors are in the log, where operators look for them.
  process.on("uncaughtException", (error) => crash(log, error, "uncaught exception"));
  process.on("unhandledRejection", (error) => crash(log, error, "unhandled rejection"));

  const { secrets, notes } = await completeSecrets(config, given, randomBytes);
  for (const { level, file, text } of notes) log[level]({ file }, text);

  const version = packageVersion();
  const app = await createApp(config, secrets, log, version);
  const { url, metricsUrl } = await app.listen();
  closeOnSignal(app, log);
  log.info({ url, metricsUrl, version }, "listening");
}

function commandLine(args: string[]) {
  try {
    return parseArgs({
      args,
      options: { config: { type: "string" }, help: { type: "boolean", short: "h" }, version: { type: "boolean" } },
    }).values;
  } catch (error) {
    throw new ConfigError([(error as Error).message]);
  }
}

function configFile(path: string): { path: string; text: string } {
  try {
    return { path, text: readFileSync(path, "utf8") };
  } catch (error) {
    throw new ConfigError([`${path}: cannot be read (${(error as NodeJS.ErrnoException).code})`]);
  }
}

function packageVersion(): string {
  return (JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string }).version;
}

/** The first SIGTERM or SIGINT drains, a second one ends the process at once. */
function closeOnSignal(app: App, log: Log): void {
  let closing = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (closing) {
      log.warn({ signal }, "ended without waiting for calls under way");
      return void exit(log, 1);
    }
    closing = true;
    log.info({ signal }, "closing");
    app.close().then(
      () => {
        log.info({}, "closed");
        return exit(log, 0);
      },
      (error: unknown) => crash(log, error, "closing failed"),
    );
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}

function crash(log: Log, error: unknown, message: string): void {
  log.fatal({ error }, message);
  void exit(log, 1);
}

async function exit(log: Log, code: number): Promise<never> {
  await log.flush();
  process.exit(code);
}

/** Errors of start-up, for the person who starts it: all problems of a configuration, and no stack where the settings are to blame. */
main().catch((error: unknown) => {
  if (error instanceof ConfigError) {
    console.error(`keywright: the configuration has ${error.problems.length === 1 ? "a problem" : `${error.problems.length} problems`}:`);
    for (const problem of error.problems) console.error(`  ${problem}`);
    process.exit(configurationExitCode);
  }
  console.error("keywright: cannot start:", redactText(error instanceof Error ? startUpText(error) : String(error)));
  process.exit(1);
});

/** System errors (a port in use, a folder that cannot be written) say all in their message; others need the stack. */
function startUpText(error: Error): string {
  return "syscall" in error ? error.message : (error.stack ?? error.message);
}
