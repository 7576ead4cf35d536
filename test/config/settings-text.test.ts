import { expect, test } from "vitest";
import { environmentName, settingNames, settings } from "../../src/config/settings.ts";
import { helpText, settingsTable } from "../../src/config/settings-text.ts";
import { pageText } from "../support/docs.ts";

test("docs/configuration.md has the table of settings (npm run settings-table -- --write updates it)", () => {
  expect(pageText("docs/configuration.md")).toContain(`\n\n${settingsTable()}\n\n`);
  expect(settingsTable().match(/^\| `KEYWRIGHT_/gm)).toHaveLength(settingNames.filter((name) => !("yamlOnly" in settings[name])).length);
});

test("--help names every setting", () => {
  for (const name of settingNames) expect(helpText()).toContain("yamlOnly" in settings[name] ? name : environmentName(name));
});
