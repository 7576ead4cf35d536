import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { batchesOf } from "../../../tools/import/batches.ts";
import { readCsv } from "../../../tools/import/csv.ts";
import { type LineFailure, openFailures } from "../../../tools/import/failures.ts";
import { unreadableOf } from "../../../tools/import/outcome.ts";
import { createPrefixDigest } from "../../../tools/import/prefix-digest.ts";
import { StoppedError, UsageError } from "../../../tools/import/problems.ts";
import { beginning } from "../../../tools/import/rows.ts";
import { type RunResult, runImport } from "../../../tools/import/run.ts";
import type { Sender } from "../../../tools/import/sender.ts";
import { type ImportState, readState, writeState } from "../../../tools/import/state.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { pieces } from "./support.ts";

const rowCount = 5500;

function csv(from = 1, to = rowCount): string {
  const rows = Array.from({ length: to - from + 1 }, (_, index) => `key,u,live_${from + index}`);
  return `name,actor_id,raw_key\n${rows.join("\n")}\n`;
}

const fresh: ImportState = {
  runId: "run",
  url: "http://127.0.0.1:4430",
  tenant: "",
  skipLines: 0,
  done: beginning,
  sha256: "",
  imported: 0,
  failed: 0,
  failuresBytes: null,
  finished: false,
};

/** A service that accepts each key once, and again from the same batch. `before` runs before it answers. */
function service(before: (batchId: string) => void = () => {}) {
  const keys = new Map<string, string>();
  const sent: string[] = [];
  let underWay = 0;
  let most = 0;
  const sender: Sender = {
    async send(batch, batchId) {
      sent.push(batchId);
      underWay += 1;
      most = Math.max(most, underWay);
      try {
        const failures: LineFailure[] = batch.requests.flatMap(({ rawKey }, index) => {
          if ((keys.get(rawKey) ?? batchId) !== batchId)
            return [{ line: batch.lines[index] as number, reason: "ALREADY_EXISTS", message: "" }];
          keys.set(rawKey, batchId);
          return [];
        });
        // Other batches may be sent meanwhile.
        await new Promise(setImmediate);
        before(batchId);
        return [...failures, ...unreadableOf(batch)];
      } finally {
        underWay -= 1;
      }
    },
    close() {},
  };
  return { sender, keys, sent, most: () => most };
}

interface Run extends RunResult {
  readonly saved: readonly ImportState[];
  readonly lines: readonly number[];
}

async function run(folder: string, text: string, sender: Sender, state = fresh, stop = new AbortController().signal): Promise<Run> {
  const digest = createPrefixDigest();
  const chunks = (async function* () {
    for await (const chunk of pieces(text, 10_000)) {
      digest.add(chunk);
      yield chunk;
    }
  })();
  const path = join(folder, "failures.ndjson");
  const failures = openFailures(path, state.failuresBytes);
  const saved: ImportState[] = [];
  let nowMs = 0;
  const result = await runImport({
    batches: batchesOf(readCsv(chunks), digest, state.skipLines),
    sender,
    failures,
    state: { ...state, failuresBytes: failures.bytes },
    inFlight: 3,
    stop,
    monotonicMs: () => (nowMs += 1000),
    save: (current) => void saved.push(current),
    onSettled: () => {},
  });
  failures.close();
  const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
  return { ...result, saved, lines: lines.map((line) => (JSON.parse(line) as LineFailure).line) };
}

describe("an import", () => {
  test("sends all rows in batches of 1000, several at a time, and reports its progress from the beginning", async () => {
    using folder = temporaryFolder();
    const { sender, keys, sent, most } = service();
    const { state, problem, saved } = await run(folder.path, csv(), sender);
    expect(problem).toBeUndefined();
    expect(state).toMatchObject({ imported: rowCount, failed: 0, finished: true, done: { rows: rowCount, lines: rowCount + 1 } });
    expect(keys.size).toBe(rowCount);
    expect(sent).toEqual(["run-0", "run-rs", "run-1jk", "run-2bc", "run-334", "run-3uw"]);
    expect(most()).toBe(3);
    expect(saved[0]).toEqual({ ...fresh, failuresBytes: 0 });
  });

  test("continues from every saved state, and ends as if it had not been interrupted", async () => {
    using folder = temporaryFolder();
    // Some fail: keys that existed before, and two that occur in the file twice.
    const text = `${csv()}key,u,live_7\nkey,u,live_4999\nkey,u\n`;
    const whole = service();
    for (const key of ["live_100", "live_3100"]) whole.keys.set(key, "others");
    const { saved, lines, state: expected } = await run(folder.path, text, whole.sender);
    expect(lines).toEqual([101, 3101, rowCount + 2, rowCount + 3, rowCount + 4]);
    expect(saved.length).toBeGreaterThan(6);

    for (const state of saved.slice(0, -1)) {
      // The failures file is longer than the state records, as after a kill.
      const again = await run(folder.path, text, whole.sender, state);
      expect(again.state).toEqual(expected);
      expect(again.lines).toEqual(lines);
    }
    expect(whole.keys.size).toBe(rowCount);
  });

  test("ends if the service refuses, settles nothing after that, and continues there", async () => {
    using folder = temporaryFolder();
    const text = csv();
    let isRefusing = true;
    const { sender, keys } = service((batchId) => {
      if (isRefusing && batchId === "run-1jk") throw new StoppedError("no room");
    });
    const first = await run(folder.path, text, sender);
    expect(first.problem).toEqual(new StoppedError("no room"));
    expect(first.state).toMatchObject({ done: { rows: 2000, lines: 2001 }, imported: 2000, finished: false });
    expect(first.saved.at(-1)).toEqual(first.state);
    isRefusing = false;
    const second = await run(folder.path, text, sender, first.state);
    expect(second.state).toMatchObject({ imported: rowCount, failed: 0, finished: true });
    expect(keys.size).toBe(rowCount);
  });

  test("that is interrupted finishes the batches in progress", async () => {
    using folder = temporaryFolder();
    const stop = new AbortController();
    const { sender } = service((batchId) => {
      if (batchId === "run-rs") stop.abort();
    });
    const { state, problem, saved } = await run(folder.path, csv(), sender, fresh, stop.signal);
    expect(problem).toBeUndefined();
    expect(state.finished).toBe(false);
    expect(state.done.rows).toBeGreaterThanOrEqual(2000);
    expect(saved.at(-1)).toEqual(state);
  });

  test("does not continue with another input", async () => {
    using folder = temporaryFolder();
    const { sender, sent } = service();
    const { saved } = await run(folder.path, csv(), sender);
    const state = saved.find(({ done }) => done.rows === 2000) as ImportState;
    const before = sent.length;
    for (const other of [csv(2), csv().replace("live_1500", "live_x500"), csv(1, 900)]) {
      const { problem } = await run(folder.path, other, sender, state);
      expect(problem).toEqual(new UsageError("the first 2001 lines of the input differ from those that were imported before"));
    }
    expect(sent.length).toBe(before);
    // What follows may be corrected.
    expect((await run(folder.path, csv(1, 4000), sender, state)).state).toMatchObject({ imported: 4000, finished: true });
  });

  test("skips the given lines", async () => {
    using folder = temporaryFolder();
    const { sender, keys } = service();
    const { state } = await run(folder.path, csv(), sender, { ...fresh, skipLines: 5001 });
    expect(state.imported).toBe(500);
    expect(keys.has("live_5000")).toBe(false);
    expect(keys.has("live_5001")).toBe(true);
  });

  test("splits batches by size if rows are long", async () => {
    using folder = temporaryFolder();
    const long = Array.from({ length: 100 }, (_, index) => `key,u,${index}_${"x".repeat(60_000)}`).join("\n");
    const { sender, sent } = service();
    await run(folder.path, `name,actor_id,raw_key\n${long}\n`, sender);
    expect(sent.length).toBe(3);
  });
});

describe("the state file", () => {
  test("is read as written, can be read only by its owner, and is not confused with other files", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "state.json");
    expect(readState(path)).toBeNull();
    const state = { ...fresh, failuresBytes: 12 };
    writeState(path, state);
    expect(readState(path)).toEqual(state);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    // That of an earlier version, which knew no tenants.
    writeFileSync(path, JSON.stringify({ version: 1, ...state, tenant: undefined }));
    expect(readState(path)).toEqual(state);
    for (const text of ["", "{}", "[]", "null", JSON.stringify({ version: 1, ...state, done: { rows: "1" } }), '{"version":2}']) {
      writeFileSync(path, text);
      expect(() => readState(path)).toThrow(UsageError);
    }
  });
});
