import { environmentName, type Setting, type SettingName, settingNames, settings } from "./settings.ts";
import { groupOfSetting, settingGroups } from "./settings-groups.ts";

/** A setting as the documentation shows it. */
export interface SettingText {
  /** The variable, or the YAML member if only YAML can hold the value. */
  readonly name: string;
  /** In Markdown. Values are code; `none` and the like are words. */
  readonly default: string;
  readonly description: string;
}

function settingTexts(): SettingText[] {
  return settingNames.map(settingText);
}

function settingText(name: SettingName): SettingText {
  const setting: Setting<unknown> = settings[name];
  return { name: nameOf(name, setting), default: defaultText(setting), description: setting.description };
}

/** The table of settings in docs/configuration.md. */
export function settingsTable(): string {
  const rows = settingTexts().map((setting) => `| \`${setting.name}\` | ${setting.default} | ${setting.description} |`);
  return ["| setting | default | meaning |", "| --- | --- | --- |", ...rows].join("\n");
}

/** The output of --help: the settings, grouped by what one wants to do. */
export function helpText(): string {
  const plain = (markdown: string) => markdown.replaceAll("`", "").replaceAll(/\[[^\]]*\]\(([^)]*)\)/g, "docs/$1");
  const entryOf = (setting: SettingText) => `  ${setting.name} (default: ${plain(setting.default)})\n      ${plain(setting.description)}`;
  const sections = settingGroups.flatMap((group) => {
    const names = settingNames.filter((name) => groupOfSetting[name] === group);
    return ["", `${group}:`, ...names.map((name) => entryOf(settingText(name)))];
  });
  return [
    "Usage: npm start -- [--config FILE] [--help] [--version]",
    "",
    "Settings come from the environment and from the YAML file FILE; the environment wins. In the file a setting has the name of its",
    "variable in lower case and without KEYWRIGHT_: data_dir for KEYWRIGHT_DATA_DIR. Names in lower case here are for the file only.",
    ...sections,
  ].join("\n");
}

function nameOf(name: SettingName, setting: Setting<unknown>): string {
  return setting.yamlOnly === true ? name : environmentName(name);
}

function defaultText(setting: Setting<unknown>): string {
  if (setting.default === null) return setting.defaultNote ?? "none";
  return setting.default === "" ? "none" : `\`${setting.default}\``;
}
