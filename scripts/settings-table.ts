/**
 * Prints the table of settings of docs/configuration.md: `npm run --silent settings-table`. With `-- --write` it replaces the table in
 * that file.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { settingsTable } from "../src/config/settings-text.ts";

const { write } = parseArgs({ options: { write: { type: "boolean", default: false } } }).values;
if (write) {
  const path = join(import.meta.dirname, "../docs/configuration.md");
  const page = readFileSync(path, "utf8");
  const table = /^\| setting \| default \| meaning \|\n(?:\|.*\n)*/m;
  if (!table.test(page)) throw new Error(`${path} has no table of settings to replace`);
  writeFileSync(
    path,
    page.replace(table, () => `${settingsTable()}\n`),
  );
} else {
  console.log(settingsTable());
}
