import { hash } from "node:crypto";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { CallersConfig } from "../../src/composition/callers.ts";
import { createReload } from "../../src/composition/reload.ts";
import { createLog } from "../../src/telemetry/log.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function fileOf(names: readonly string[]): string {
  return ["admin_tokens:", ...names.map((name) => `  - { name: ${name}, sha256: ${hash("sha256", name)}, roles: [auditor] }`)].join("\n");
}

test("a changed file is taken over once two checks in a row have read the same text, so that no half of it is", () => {
  let text = fileOf(["a", "b"]);
  const readFile = () => ({ path: "keywright.yaml", text });
  const taken: string[][] = [];
  const app = { replaceCallers: ({ adminTokens }: CallersConfig) => void taken.push(adminTokens.map(({ name }) => name)) };
  const log = createLog("info", { write: () => {} });
  using _reload = createReload({ app, log, environment: {}, readFile, loaded: readFile(), generatedTokens: [] });

  vi.advanceTimersByTime(5000);
  expect(taken).toEqual([]);
  text = fileOf(["a"]);
  vi.advanceTimersByTime(1000);
  text = fileOf(["a", "b", "c"]);
  vi.advanceTimersByTime(1000);
  expect(taken).toEqual([]);
  vi.advanceTimersByTime(1000);
  expect(taken).toEqual([["a", "b", "c"]]);
  vi.advanceTimersByTime(5000);
  expect(taken).toHaveLength(1);
});
