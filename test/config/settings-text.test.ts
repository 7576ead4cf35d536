import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { environmentName, settingNames } from "../../src/config/settings.ts";
import { helpText, settingsTable } from "../../src/config/settings-text.ts";

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");

test("README lists the settings with their defaults (scripts/settings-table.ts prints the table)", () => {
  const section = readme.split(/^## /m).find((part) => part.startsWith("Configuration\n")) ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("| `"));
  const expected = settingsTable()
    .split("\n")
    .filter((line) => line.startsWith("| `"));
  expect(rows.map(nameAndDefault)).toEqual(expected.map(nameAndDefault));
  expect(rows.filter((row) => row.startsWith("| `KEYWRIGHT_"))).toHaveLength(settingNames.length - 1);
});

test("--help names every setting", () => {
  for (const name of settingNames) expect(helpText()).toContain(name === "admin_tokens" ? name : environmentName(name));
});

function nameAndDefault(row: string): string {
  return row.split("|").slice(1, 3).join("|").replaceAll(/\s+/g, " ");
}
