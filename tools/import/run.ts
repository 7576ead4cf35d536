import type { Batch } from "./batches.ts";
import type { FailuresFile, LineFailure } from "./failures.ts";
import { UsageError } from "./problems.ts";
import type { Sender } from "./sender.ts";
import type { ImportState } from "./state.ts";

export interface RunOptions {
  readonly batches: AsyncIterable<Batch>;
  readonly sender: Sender;
  readonly failures: FailuresFile;
  /** Where to start. */
  readonly state: ImportState;
  /** Number of batches in progress at the same time. */
  readonly inFlight: number;
  /** After it aborts, no further batch is started. */
  readonly stop: AbortSignal;
  readonly monotonicMs: () => number;
  /** Saves the state. Called before anything is sent, then at intervals, and at the end. */
  readonly save: (state: ImportState) => void;
  /** Called after each settled batch. */
  readonly onSettled: (state: ImportState) => void;
}

export interface RunResult {
  readonly state: ImportState;
  /** Why the run ended before the end of the input; undefined if it reached the end or `stop` aborted. */
  readonly problem: unknown;
}

interface UnderWay {
  readonly batch: Batch;
  readonly outcome: Promise<readonly LineFailure[]>;
}

const saveIntervalMs = 1000;

/**
 * Sends the batches, several at a time, and settles them in the order of the input, so that one number describes the progress. Batches sent
 * beyond that are sent again by the next run. Reading waits for the service: at most `inFlight` batches are in memory.
 */
export async function runImport(options: RunOptions): Promise<RunResult> {
  const { sender, failures, inFlight, stop, monotonicMs } = options;
  const underWay: UnderWay[] = [];
  let { state } = options;
  let savedMs: number | undefined;
  let problem: unknown;

  const save = () => {
    failures.sync();
    options.save(state);
    savedMs = monotonicMs();
  };
  const settleFirst = async () => {
    const [first] = underWay;
    if (first === undefined) return;
    const { batch, outcome } = first;
    const failed = await outcome;
    underWay.shift();
    failures.add(failed);
    state = settled(state, batch, failed.length, failures.bytes);
    options.onSettled(state);
    if (savedMs === undefined || monotonicMs() - savedMs >= saveIntervalMs) save();
  };

  try {
    for await (const batch of unsettled(options.batches, state)) {
      if (stop.aborted) break;
      // The next run must know the ids of batches before the service does.
      if (savedMs === undefined) save();
      const outcome = sender.send(batch, batchId(state.runId, batch));
      outcome.catch(() => {});
      underWay.push({ batch, outcome });
      if (underWay.length >= inFlight) await settleFirst();
    }
  } catch (error) {
    if (!stop.aborted) problem = error;
  }
  try {
    while (underWay.length > 0) await settleFirst();
  } catch (error) {
    problem ??= stop.aborted ? undefined : error;
  }
  await Promise.allSettled(underWay.map(({ outcome }) => outcome));
  if (problem === undefined && !stop.aborted) state = { ...state, finished: true };
  try {
    if (savedMs !== undefined || state.finished) save();
  } catch (error) {
    problem ??= error;
  }
  return { state, problem };
}

/** At most 36 characters. The same rows of the same import have the same id. */
function batchId(runId: string, { start }: Batch): string {
  return `${runId}-${start.rows.toString(36)}`;
}

function settled(state: ImportState, batch: Batch, failed: number, failuresBytes: number): ImportState {
  const rows = batch.requests.length + batch.unreadable.length;
  return {
    ...state,
    done: batch.end,
    sha256: batch.sha256,
    imported: state.imported + rows - failed,
    failed: state.failed + failed,
    failuresBytes,
  };
}

/** Skips what an earlier run settled. Rejects with UsageError if the input does not begin with that. */
async function* unsettled(batches: AsyncIterable<Batch>, { done, sha256 }: ImportState): AsyncGenerator<Batch> {
  let isSameInput = done.rows === 0;
  for await (const batch of batches) {
    if (batch.end.rows <= done.rows) {
      if (batch.end.rows === done.rows) isSameInput = batch.sha256 === sha256;
      continue;
    }
    if (!isSameInput) break;
    yield batch;
  }
  if (!isSameInput) throw new UsageError(`the first ${done.lines} lines of the input differ from those that were imported before`);
}
