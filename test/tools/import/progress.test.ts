import { expect, test } from "vitest";
import { createProgress, type Figures } from "../../../tools/import/progress.ts";

function shown(isTTY: boolean, steps: readonly (readonly [seconds: number, figures: Figures])[]): string {
  let nowMs = 0;
  const parts: string[] = [];
  const progress = createProgress({ isTTY, columns: 90, write: (part) => parts.push(part) }, () => nowMs);
  for (const [seconds, figures] of steps) {
    nowMs = seconds * 1000;
    progress.update(figures);
  }
  progress.note("done");
  return parts.join("");
}

const figures = (rows: number, failed = 0, totalBytes: number | null = 400_000): Figures => ({
  rows,
  failed,
  bytes: rows * 100,
  totalBytes,
});

test("on a terminal a bar with rate and remaining time is redrawn in place", () => {
  const text = shown(true, [
    [0, figures(0)],
    [1, figures(1000)],
    [1.1, figures(1100)],
    [2, figures(2000, 3)],
  ]);
  const drawn = text.split("\r").filter((part) => part.trim() !== "");
  expect(drawn).toEqual([
    "[------------------------] 0 %, 0 keys, 0/s",
    "[######------------------] 25 %, 1,000 keys, 1,000/s, 3 s left",
    "[############------------] 50 %, 2,000 keys, 1,000/s, 2 s left, 3 failed",
    "done\n",
  ]);
});

test("elsewhere there is a plain line every ten seconds, and no total for standard input", () => {
  const steps = Array.from({ length: 25 }, (_, second) => [second, figures(second * 50, 0, null)] as const);
  expect(shown(false, steps)).toBe("500 keys, 50/s\n1,000 keys, 50/s\ndone\n");
});

test("rate and remaining time are computed over the last seconds", () => {
  const slow = Array.from({ length: 60 }, (_, second) => [second, figures(second * 10)] as const);
  const fast = Array.from({ length: 30 }, (_, second) => [60 + second, figures(600 + second * 100)] as const);
  expect(shown(false, [...slow, ...fast])).toContain("65 %, 2,600 keys, 100/s, 14 s left\n");
});
