import { expect, test } from "vitest";
import { createOutageLog } from "../../src/cache/outage-log.ts";
import type { TrustMode } from "../../src/cache/trust.ts";
import { createLog } from "../../src/telemetry/log.ts";

test("each step of a loss of the store is logged once, and its return once that lasts", () => {
  const lines: { level: string; message: string }[] = [];
  const log = createLog("info", { write: (line) => void lines.push(JSON.parse(line)) });
  let mode: TrustMode = "leased";
  const report = createOutageLog({ mode: () => mode }, log);
  const run = (...modes: readonly TrustMode[]) => {
    for (const next of modes) {
      mode = next;
      report();
    }
  };
  run("leased", "grace", "grace", "none", "none", "leased", "leased", "none", "grace", "leased");
  expect(lines.map(({ level }) => level)).toEqual(["warn", "error"]);
  run(...Array<TrustMode>(8).fill("leased"), "none");
  expect(lines.map(({ level }) => level)).toEqual(["warn", "error", "info", "error"]);
  expect(lines.map(({ message }) => /lost|answers again/.exec(message)?.[0])).toEqual(["lost", "lost", "answers again", "lost"]);
});
