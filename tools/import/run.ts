import type { Batch } from "./batches.ts";
import type { FailuresFile, LineFailure } from "./failures.ts";
import { UsageError } from "./problems.ts";
import type { Sender } from "./sender.ts";
import type { ImportState } from "./state.ts";

export interface RunOptions {
  readonly batches: AsyncIterable<Batch>;
  readonly sender: Sender;
  readonly failures: FailuresFile;
  /** Where to begin. */
  readonly state: ImportState;
  /** Batches under way at the same time. */
  readonly inFlight: number;
  /** Aborted: no further batch is begun. */
  readonly stop: AbortSignal;
  readonly monotonicMs: () => number;
  /** Keeps the state. Called before anything is sent, then now and then, and at the end. */
  readonly save: (state: ImportState) => void;
  /** Told of each batch that is settled. */
  readonly onSettled: (state: ImportState) => void;
}

export interface RunResult {
  readonly state: ImportState;
  /** What ended it before the end of the input; undefined where nothing did, or `stop`. */
  readonly problem: unknown;
}

interface UnderWay {
  readonly batch: Batch;
  readonly outcome: Promise<readonly LineFailure[]>;
}

const saveIntervalMs = 1000;

/**
 * Sends the batches, several at a time, and settles them in the order of the input: so one number says how far the import is. What was sent beyond that
 * is sent again by the next run. Reading waits for the service: no more than `inFlight` batches are in memory.
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
      // The ids of batches must be known to the next run before the service knows them.
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

/** At most 36 characters; the same for the same rows of the same import. */
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

/** Passes over what an earlier run settled. Rejects with UsageError where that is not what the input begins with. */
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
