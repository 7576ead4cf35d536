import { createRequire } from "node:module";
import type { RawValue } from "./parsers.ts";
import { ConfigError } from "./problems.ts";
import { environmentName, type Setting, type SettingName, settingNames, settings } from "./settings.ts";
import { closest } from "./spelling.ts";

/** A value and its origin: the name of a variable, or the member of the YAML file. */
export interface RawSetting {
  readonly origin: string;
  readonly value: RawValue;
}

export type RawSettings = Partial<Record<SettingName, RawSetting>>;

/** Reads every setting that was given; the environment overrides the file. Reports every unknown setting as a problem. */
export function rawSettings(
  environment: Readonly<Record<string, string | undefined>>,
  file: { readonly path: string; readonly text: string } | null,
  problems: string[],
): RawSettings {
  const fromFile = file === null ? {} : yamlMembers(file.path, file.text);
  const raw: RawSettings = {};
  for (const [member, value] of Object.entries(fromFile)) {
    const name = settingNames.find((known) => known === member);
    if (name === undefined) problems.push(`${member}: unknown setting${hint(member, settingNames)}`);
    else raw[name] = { origin: name, value };
  }
  const variables = new Map(settingNames.filter((name) => !isYamlOnly(name)).map((name) => [environmentName(name), name]));
  for (const [variable, value] of Object.entries(environment)) {
    if (value === undefined || !variable.startsWith("KEYWRIGHT_") || variable.startsWith("KEYWRIGHT_TEST_")) continue;
    const name = variables.get(variable);
    if (name === undefined) problems.push(`${variable}: unknown setting${hint(variable, [...variables.keys()])}`);
    else raw[name] = { origin: variable, value };
  }
  return raw;
}

/**
 * Returns the top-level members. Scalars stay texts (YAML's failsafe schema), so that a value means the same here and in the environment.
 * Errors contain only the place, because the parser's messages quote the file, which holds secrets.
 */
function yamlMembers(path: string, text: string): Readonly<Record<string, RawValue>> {
  // Loaded only if there is a file: it is a thirtieth of a start.
  const { LineCounter, parseDocument } = createRequire(import.meta.url)("yaml") as typeof import("yaml");
  const lines = new LineCounter();
  const document = parseDocument(text, { schema: "failsafe", prettyErrors: false, lineCounter: lines });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0]);
    throw new ConfigError([`${path}: line ${line}, column ${col}: invalid YAML (${error.code})`]);
  }
  const tree = yamlTree(path, () => document.toJS({ maxAliasCount: 0 }));
  if (tree === null || tree === "") return {};
  if (typeof tree !== "object" || Array.isArray(tree)) throw new ConfigError([`${path}: must be a mapping of settings`]);
  return tree as Readonly<Record<string, RawValue>>;
}

function yamlTree(path: string, toJs: () => unknown): unknown {
  try {
    return toJs();
  } catch {
    throw new ConfigError([`${path}: must not contain aliases`]);
  }
}

function isYamlOnly(name: SettingName): boolean {
  return (settings[name] as Setting<unknown>).yamlOnly === true;
}

function hint(name: string, known: readonly string[]): string {
  const best = closest(name, known);
  return best === null ? "" : `; did you mean ${best}?`;
}
