import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { beginning } from "../../../tools/import/rows.ts";
import { readState, writeState } from "../../../tools/import/state.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const done = { skipLines: 0, done: beginning, sha256: "", imported: 0, failed: 0, finished: false };
const state = { runId: "run", url: "http://127.0.0.1:4430", tenant: "", ...done, failuresBytes: 12 };

test.skipIf(process.platform === "win32")("a file that cannot be written whole is left as it was, and the error names it", () => {
  using folder = temporaryFolder();
  const [statePath, failuresPath] = [join(folder.path, "state.json"), join(folder.path, "failures.ndjson")];
  writeState(statePath, state);
  const module = (name: string) => JSON.stringify(new URL(`../../../tools/import/${name}.ts`, import.meta.url).href);
  // Of 2000 bytes the system writes 1024, and says so without an error.
  const script = `
    import { openFailures } from ${module("failures")};
    import { writeState } from ${module("state")};
    const long = "x".repeat(2000);
    const state = ${JSON.stringify(state)};
    const failures = openFailures(${JSON.stringify(failuresPath)}, null);
    for (const write of [() => writeState(${JSON.stringify(statePath)}, { ...state, url: long }), () => failures.add([{ line: 1, reason: "R", message: long }])])
      try { write(); } catch ({ message }) { console.log(message, failures.bytes); }
  `;
  const command = `ulimit -f 1; exec ${process.execPath} --input-type=module -e "$0"`;
  const { stdout } = spawnSync("bash", ["-c", command, script], { encoding: "utf8" });
  expect(stdout).toBe(`${statePath}: cannot be written: EFBIG 0\n${failuresPath}: cannot be written: EFBIG 0\n`);
  expect(readState(statePath)).toEqual(state);
});
