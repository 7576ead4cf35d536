import { rmSync } from "node:fs";
import type { Readable } from "node:stream";
import { batchesOf } from "./batches.ts";
import { createChecker } from "./checker.ts";
import { readCsv } from "./csv.ts";
import { openFailures } from "./failures.ts";
import { openInput } from "./input.ts";
import { readNdjson } from "./ndjson.ts";
import { help, type ImportOptions, isExposed, parseOptions } from "./options.ts";
import { createPrefixDigest } from "./prefix-digest.ts";
import { UsageError } from "./problems.ts";
import { count, createProgress, type Progress, type ProgressTarget } from "./progress.ts";
import { beginning } from "./rows.ts";
import { type RunResult, runImport } from "./run.ts";
import { createSender } from "./sender.ts";
import { type ImportState, readState, writeState } from "./state.ts";

/** The parts of the process that the tool uses. */
export interface Environment {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: ProgressTarget;
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly stop: AbortSignal;
  readonly monotonicMs: () => number;
  /** Returns 15 random bytes in base64url. */
  readonly newRunId: () => string;
  readonly random: () => number;
}

const exitCodes = { imported: 0, someFailed: 1, notTried: 2, stopped: 3, interrupted: 130 } as const;
const readers = { csv: readCsv, ndjson: readNdjson };
const retryNoteIntervalMs = 5000;

/** Runs the whole tool. Resolves with its exit code. */
export async function main(environment: Environment): Promise<number> {
  const { stdout, stderr } = environment;
  try {
    const options = parseOptions(environment.args, environment.env);
    if (options === null) {
      stdout.write(`${help}\n`);
      return exitCodes.imported;
    }
    const progress = createProgress(stderr, environment.monotonicMs);
    if (!options.dryRun && isExposed(options.url)) {
      progress.note(`warning: ${options.url} is not encrypted: the keys and the token can be read on the way`);
    }
    const begunMs = environment.monotonicMs();
    const before = startState(options, environment.newRunId);
    if (before.done.rows > 0) progress.note(`resuming after line ${before.done.lines}`);
    const result = await importWith(options, before, environment, progress);
    progress.end();
    const seconds = (environment.monotonicMs() - begunMs) / 1000;
    stdout.write(summary(options, result, (result.state.done.rows - before.done.rows) / seconds, environment.stop));
    return exitCodeOf(result, environment.stop);
  } catch (error) {
    const isOfSystem = error instanceof Error && "syscall" in error;
    if (!(error instanceof UsageError) && !isOfSystem) throw error;
    stderr.write(`${error.message}\n`);
    return exitCodes.notTried;
  }
}

/** Returns the state of the state file, or a new one. Throws UsageError if the file belongs to another import, or to a finished one. */
function startState({ statePath, url, tenant, skipLines }: ImportOptions, newRunId: () => string): ImportState {
  const found = statePath === null ? null : readState(statePath);
  if (found === null) {
    const nothing = { done: beginning, sha256: "", imported: 0, failed: 0, failuresBytes: null, finished: false };
    return { runId: newRunId(), url, tenant: tenant ?? "", skipLines, ...nothing };
  }
  const again = `remove ${statePath} to start again`;
  if (found.finished) {
    throw new UsageError(`this import is finished: ${count(found.imported)} keys imported, ${count(found.failed)} failed; ${again}`);
  }
  if (found.url !== url) throw new UsageError(`this import was started with --url ${found.url}; ${again}`);
  if (found.tenant !== (tenant ?? "")) throw new UsageError(`this import was started ${withTenant(found.tenant)}; ${again}`);
  if (found.skipLines !== skipLines) throw new UsageError(`this import was started with --skip-lines ${found.skipLines}; ${again}`);
  return found;
}

function withTenant(tenant: string): string {
  return tenant === "" ? "without --tenant" : `with --tenant ${tenant}`;
}

async function importWith(options: ImportOptions, before: ImportState, environment: Environment, progress: Progress): Promise<RunResult> {
  const { statePath, failuresPath, skipLines, inFlight, url, token, tenant } = options;
  const { monotonicMs, stop, random } = environment;
  const digest = createPrefixDigest();
  const input = openInput(options.path, environment.stdin, digest, stop);
  if (options.dryRun) rmSync(failuresPath, { force: true });
  const failures = openFailures(failuresPath, before.failuresBytes);
  const state = { ...before, failuresBytes: failures.bytes };
  let notedMs = Number.NEGATIVE_INFINITY;
  const onRetry = (problem: string) => {
    if (monotonicMs() - notedMs < retryNoteIntervalMs) return;
    notedMs = monotonicMs();
    progress.note(`retrying: ${problem}`);
  };
  const sender = token === null ? createChecker() : createSender({ url, token, tenant, stop, onRetry, random });
  try {
    return await runImport({
      batches: batchesOf(readers[options.format](input.chunks), digest, skipLines),
      sender,
      failures,
      state,
      inFlight,
      stop,
      monotonicMs,
      save: (current) => {
        if (statePath !== null) writeState(statePath, current);
      },
      onSettled: ({ done, failed }) => progress.update({ rows: done.rows, failed, bytes: done.bytes, totalBytes: input.totalBytes }),
    });
  } finally {
    sender.close();
    failures.close();
    if (failures.bytes === 0) rmSync(failuresPath, { force: true });
  }
}

function exitCodeOf({ state, problem }: RunResult, stop: AbortSignal): number {
  if (problem instanceof UsageError) return exitCodes.notTried;
  if (problem !== undefined) return exitCodes.stopped;
  if (!state.finished && stop.aborted) return exitCodes.interrupted;
  return state.failed > 0 ? exitCodes.someFailed : exitCodes.imported;
}

function summary(
  { dryRun, statePath, failuresPath }: ImportOptions,
  { state, problem }: RunResult,
  perSecond: number,
  stop: AbortSignal,
): string {
  const lines: string[] = [];
  const rate = `${count(Math.round(perSecond))}/s`;
  lines.push(`${count(state.imported)} keys ${dryRun ? "are ready to be imported" : "imported"}, ${count(state.failed)} failed (${rate})`);
  if (state.failed > 0) lines.push(`the failures are in ${failuresPath}`);
  if (problem !== undefined) lines.push(`stopped: ${(problem as Error).message}`);
  else if (stop.aborted && !state.finished) lines.push("interrupted");
  if (!state.finished && !dryRun && state.done.lines > 0) {
    lines.push(
      statePath === null
        ? `to resume, give the same input again with --skip-lines ${state.done.lines}`
        : `to resume from line ${state.done.lines + 1}, run the same command again`,
    );
  }
  return `${lines.join("\n")}\n`;
}
