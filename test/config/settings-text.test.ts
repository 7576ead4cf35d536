import { expect, test } from "vitest";
import { environmentName, settingNames, settings } from "../../src/config/settings.ts";
import { groupOfSetting } from "../../src/config/settings-groups.ts";
import { helpText, settingsTable } from "../../src/config/settings-text.ts";
import { pageText } from "../support/docs.ts";

test("docs/configuration.md has the table of settings (npm run settings-table -- --write updates it)", () => {
  expect(pageText("docs/configuration.md")).toContain(`\n\n${settingsTable()}\n\n`);
  expect(settingsTable().match(/^\| \x60KEYWRIGHT_/gm)).toHaveLength(settingNames.filter((name) => !("yamlOnly" in settings[name])).length);
});

test("--help lists every setting once, under its task", () => {
  const lines = helpText().split("\n");
  for (const name of settingNames) {
    const shown = "yamlOnly" in settings[name] ? name : environmentName(name);
    const found = lines.flatMap((line, at) => (line.startsWith(`  ${shown} (default: `) ? [at] : []));
    const heading = lines.slice(0, found[0]).findLast((line) => /^[A-Z][a-z ]+:$/.test(line));
    expect([name, found.length, heading]).toEqual([name, 1, `${groupOfSetting[name]}:`]);
  }
});
