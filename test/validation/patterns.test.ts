import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createPatternMatcher } from "../../src/validation/patterns.ts";

const folder = join(import.meta.dirname, "../../proto/keywright/v2alpha1");
const contract = readdirSync(folder)
  .map((name) => readFileSync(join(folder, name), "utf8"))
  .join("\n");
const patterns = [...contract.matchAll(/pattern: ("(?:[^"\\]|\\.)*")/g)].map(([, text]) => JSON.parse(text as string) as string);

test("each pattern of the contract is one repeated class, so that no text makes it backtrack", () => {
  expect(patterns.length).toBeGreaterThan(0);
  for (const pattern of patterns) expect(pattern).toMatch(/^\^\[[^[\]]+\]\+\$$/);
  expect(contract).not.toMatch(/\.matches\(/);
});

test("scopes are matched completely", () => {
  const matches = createPatternMatcher();
  const [scope] = patterns as [string];
  expect(["read", "invoices:read", "~!"].every((text) => matches(scope, text))).toBe(true);
  expect(["", "a b", "a\n", 'a"', "a\\", "ä", "a\u0000"].some((text) => matches(scope, text))).toBe(false);
});
