/** Prints the table of settings that stands in README, section "Configuration". */
import { settingsTable } from "../src/config/settings-text.ts";

console.log(settingsTable());
