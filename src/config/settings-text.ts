import { environmentName, type Setting, type SettingName, settingNames, settings } from "./settings.ts";

/** A setting as the documentation shows it. */
export interface SettingText {
  /** The variable, or the YAML member if only YAML can hold the value. */
  readonly name: string;
  /** In Markdown. Values are code; `none` and the like are words. */
  readonly default: string;
  readonly description: string;
}

export function settingTexts(): SettingText[] {
  return settingNames.map((name) => {
    const setting: Setting<unknown> = settings[name];
    return { name: nameOf(name, setting), default: defaultText(setting), description: setting.description };
  });
}

/** The table of settings in docs/configuration.md. */
export function settingsTable(): string {
  const rows = settingTexts().map((setting) => `| \`${setting.name}\` | ${setting.default} | ${setting.description} |`);
  return ["| setting | default | meaning |", "| --- | --- | --- |", ...rows].join("\n");
}

/** The output of --help. */
export function helpText(): string {
  const plain = (markdown: string) => markdown.replaceAll("`", "");
  const entries = settingTexts().map(
    (setting) => `  ${setting.name} (default: ${plain(setting.default)})\n      ${plain(setting.description)}`,
  );
  return [
    "Usage: npm start -- [--config FILE] [--help] [--version]",
    "",
    "Settings come from the environment and from the YAML file FILE; the environment wins. In the file a setting has the name of its",
    "variable in lower case and without KEYWRIGHT_: data_dir for KEYWRIGHT_DATA_DIR. Names in lower case here are for the file only.",
    "",
    ...entries,
  ].join("\n");
}

function nameOf(name: SettingName, setting: Setting<unknown>): string {
  return setting.yamlOnly === true ? name : environmentName(name);
}

function defaultText(setting: Setting<unknown>): string {
  if (setting.default === null) return setting.defaultNote ?? "none";
  return setting.default === "" ? "none" : `\`${setting.default}\``;
}
