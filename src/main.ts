import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type App, checkSigningKeys, createApp } from "./composition/app.ts";
import { createReload, type ReloadOptions } from "./composition/reload.ts";
import { completeSecrets } from "./config/bootstrap.ts";
import type { Config, GivenSecrets } from "./config/config.ts";
import { firstSteps, type StartFacts } from "./config/first-steps.ts";
import { loadConfig } from "./config/load.ts";
import { ConfigError } from "./config/problems.ts";
import { helpText } from "./config/settings-text.ts";
import { StartError } from "./error/start-error.ts";
import { systemReason } from "./error/system-reason.ts";
import type { Log, LogFields } from "./ports/log.ts";
import { createLog, standardOutput } from "./telemetry/log.ts";
import { createLogOutput, type LogOutput } from "./telemetry/log-output.ts";
import { redactText } from "./telemetry/redact.ts";

/** EX_CONFIG of sysexits.h: a restart would not help. */
const configurationExitCode = 78;
/** A crash ends within a second, even if the log cannot be written. */
const maxLogFlushMs = 500;
const maxLastWordsMs = 200;

async function main(): Promise<void> {
  const options = commandLine(process.argv.slice(2));
  if (options.help === true) return console.log(helpText());
  if (options.version === true) return console.log(packageVersion());

  const readFile = () => (options.config === undefined ? null : configFile(options.config));
  const loaded = readFile();
  const { config, given } = loadConfig(process.env, loaded);
  const output = standardOutput();
  const log = createLog(config.logLevel, output);
  // From here on all errors go to the log, where operators look for them.
  process.on("uncaughtException", (error) => crash(log, error, "uncaught exception"));
  process.on("unhandledRejection", (error) => crash(log, error, "unhandled rejection"));

  await start({ config, given, loaded, readFile, log, output }).catch(async (error: unknown) => {
    await exit(log, reportStartUpError(error));
  });
}

interface Start extends Pick<ReloadOptions, "loaded" | "readFile"> {
  readonly config: Config;
  readonly given: GivenSecrets;
  readonly log: Log;
  /** Where the log goes. */
  readonly output: LogOutput;
}

async function start(given: Start): Promise<void> {
  if (given.config.workers === 1) return serve(given, null);
  const { isPrimary, workerId } = await import("./workers/role.ts");
  if (isPrimary) return supervise(given);
  await serve({ ...given, log: given.log.child({ worker: workerId }) }, await import("./workers/worker.ts"));
}

/** Serves calls in this process. `worker` is null if it is the only one. */
async function serve({ config, given, loaded, readFile, log }: Start, worker: typeof import("./workers/worker.ts") | null): Promise<void> {
  if (given.serverSecrets.current === null || given.adminTokens.length === 0) await checkSigningKeys(config, given, log);
  const { secrets, adminTokenFile, notes } = await completeSecrets(config, given, randomBytes);
  for (const { level, file, text } of notes) if (level !== "info" || !process.stdout.isTTY) log[level]({ file }, text);

  const version = packageVersion();
  const app = await createApp(config, secrets, log, version);
  const { url, metricsUrl } = await app.listen(worker === null ? config.metrics : null);
  const generatedTokens = adminTokenFile === null ? [] : secrets.adminTokens;
  const { reload } = createReload({ app, log, environment: process.env, loaded, readFile, generatedTokens });
  process.on("SIGHUP", reload);
  if (worker !== null) {
    const close = closeOnSignal({ close: () => app.close().finally(() => worker.sendLastMetrics(app)) }, log);
    log.info({ pid: process.pid, version }, "worker serves");
    return worker.serveAsWorker({ app, url, reload, close: (reason) => close({ reason }) });
  }
  closeOnSignal(app, log);
  await announceStart(log, { url, metricsUrl, version }, { adminTokenFile, docs: config.docs });
}

/** Starts workers that serve calls, and keeps them running. */
async function supervise({ config, log, output }: Start): Promise<void> {
  const { createPrimary } = await import("./workers/primary.ts");
  const version = packageVersion();
  const primary = createPrimary({ config, log, output, version, monotonicMs: () => performance.now() });
  closeOnSignal(primary, log);
  process.on("SIGHUP", () => primary.reload());
  process.on("SIGUSR2", () => void primary.restart());
  await announceStart(log, { ...(await primary.start()), version, workers: config.workers }, { adminTokenFile: null, docs: config.docs });
}

/** Announces the start: on a terminal in three readable lines, otherwise in one line of JSON. */
async function announceStart(log: Log, fields: { readonly url: string } & LogFields, facts: Omit<StartFacts, "url">): Promise<void> {
  if (!process.stdout.isTTY) {
    log.info(fields, "listening");
    return;
  }
  // Warnings of the start are printed first.
  await log.flush(maxLogFlushMs);
  console.log(firstSteps({ url: fields.url, ...facts }));
}

function commandLine(args: string[]) {
  try {
    return parseArgs({
      args,
      options: { config: { type: "string" }, help: { type: "boolean", short: "h" }, version: { type: "boolean" } },
    }).values;
  } catch (error) {
    throw new ConfigError([`${(error as Error).message}; --help lists the options and settings`]);
  }
}

function configFile(path: string): { path: string; text: string } {
  try {
    return { path, text: readFileSync(path, "utf8") };
  } catch (error) {
    throw new ConfigError([`${path}: cannot be read: ${systemReason(error)}`]);
  }
}

function packageVersion(): string {
  return (JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string }).version;
}

/**
 * The first SIGTERM or SIGINT drains; a second one ends the process at once. Returns a function that drains too; it may be called
 * repeatedly.
 */
function closeOnSignal(service: Pick<App, "close">, log: Log): (why: LogFields) => void {
  let isClosing = false;
  const close = (why: LogFields) => {
    if (isClosing) return;
    isClosing = true;
    log.info(why, "closing");
    service.close().then(
      () => {
        log.info({}, "closed");
        return exit(log, 0);
      },
      (error: unknown) => crash(log, error, "closing failed"),
    );
  };
  let hadSignal = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (!hadSignal) {
      hadSignal = true;
      return close({ signal });
    }
    log.warn({ signal }, "exiting without waiting for calls in progress");
    void exit(log, 1);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, onSignal);
  return close;
}

/** Writes what the log could not write to standard error, because it is the last information about this process. */
async function crash(log: Log, error: unknown, message: string): Promise<void> {
  const droppedBefore = log.droppedCount;
  log.fatal({ error }, message);
  let isWritten = await log.flush(maxLogFlushMs);
  if (!isWritten || log.droppedCount > droppedBefore) {
    // Not `console.error`, which blocks while nothing reads standard error.
    const standardError = createLogOutput(2, () => {});
    standardError.write(`keywright: ${message}: ${errorText(error)}\n`);
    isWritten = (await standardError.flush(maxLastWordsMs)) && isWritten;
  }
  endProcess(isWritten, 1);
}

async function exit(log: Log, code: number): Promise<void> {
  endProcess(await log.flush(maxLogFlushMs), code);
}

/** Uses SIGKILL if a write hangs: `process.exit` waits for the thread that writes, and so for the reader. */
function endProcess(isWritten: boolean, code: number): void {
  if (isWritten) process.exit(code);
  process.kill(process.pid, "SIGKILL");
}

/**
 * Reports start-up errors to the person who starts the service: all problems of a configuration, without a stack if the settings are the
 * cause. Returns the exit code.
 */
function reportStartUpError(error: unknown): number {
  if (error instanceof ConfigError) {
    console.error(`keywright: invalid configuration (${error.problems.length === 1 ? "1 problem" : `${error.problems.length} problems`}):`);
    for (const problem of error.problems) console.error(`  ${problem}`);
    return configurationExitCode;
  }
  // The worker has reported the problem.
  if (error instanceof Error && "workerExitCode" in error) return error.workerExitCode as number;
  console.error("keywright: cannot start:", errorText(error));
  return 1;
}

/** Errors of the start and of the system (a folder that cannot be written) are complete in their message; others need the stack. */
function errorText(error: unknown): string {
  if (!(error instanceof Error)) return redactText(String(error));
  const isComplete = error instanceof StartError || "syscall" in error;
  return redactText(isComplete ? error.message : (error.stack ?? error.message));
}

// Without a listener, Node responds to SIGUSR1 by opening its inspector, which runs any code it is sent. `--disable-sigusr1` in the start
// command covers the time before this line. Without one, SIGHUP and SIGUSR2 end the process, also if they come during its start.
for (const signal of ["SIGHUP", "SIGUSR1", "SIGUSR2"] as const) process.on(signal, () => {});
main().catch((error: unknown) => process.exit(reportStartUpError(error)));
