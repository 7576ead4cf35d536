import type { AdminToken } from "../config/config.ts";
import { loadConfig } from "../config/load.ts";
import { ConfigError } from "../config/problems.ts";
import { rawSettings } from "../config/raw-settings.ts";
import { type SettingName, settingNames } from "../config/settings.ts";
import type { Log } from "../ports/log.ts";
import type { App } from "./app.ts";

/** Null if there is no configuration file. */
export type LoadedFile = { readonly path: string; readonly text: string } | null;

export interface ReloadOptions {
  readonly app: Pick<App, "replaceCallers">;
  readonly log: Log;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Reads the configuration file; null if there is none. Throws ConfigError if it cannot be read. */
  readonly readFile: () => LoadedFile;
  /** The text that `readFile` returned when the configuration in force was made. */
  readonly loaded: LoadedFile;
  /** Tokens that are accepted if none is configured: the generated token, or none. */
  readonly generatedTokens: readonly AdminToken[];
}

/** What a reload takes over. Other settings need a restart. */
const reloaded: readonly SettingName[] = ["admin_token", "admin_tokens", "admin_issuers", "admin_certificates", "roles"];

/** Interval between two checks of the file. A change is taken over by the second check that sees it. */
const watchIntervalMs = 1000;

/** The configuration file as read, or the error if it could not be read. */
type ReadFile = LoadedFile | ConfigError;

export interface Reload extends Disposable {
  /** Reads the configuration now. */
  reload(): void;
}

/**
 * Reloads tokens, issuers, rules of certificates and roles from the configuration, on request and when the text of the file changes, even
 * if the file is a link or is replaced. A text must be there at two checks in a row, because a program that writes the file in parts may not
 * have finished at the first. If the configuration has a problem, nothing changes and the log names the setting. The compared text is the
 * one that is used, so each check reads the file once.
 */
export function createReload(options: ReloadOptions): Reload {
  const { log, readFile } = options;
  let last: ReadFile = options.loaded;
  let seen = textOf(last);
  const take = (file: ReadFile) => {
    last = file;
    try {
      takeOver(options, file);
      log.info({}, "tokens, issuers and roles were read again");
      const changed = changedSettings(options, file as LoadedFile);
      if (changed.length > 0) log.warn({ settings: changed }, "settings were changed that need a restart");
    } catch (error) {
      const reason = error instanceof ConfigError ? { problems: error.problems } : { error };
      log.error(reason, "the configuration cannot be used; tokens, issuers and roles stay as they are");
    }
  };
  const timer = setInterval(() => {
    const file = read(readFile);
    const text = textOf(file);
    if (text === seen && text !== textOf(last)) take(file);
    seen = text;
  }, watchIntervalMs);
  timer.unref();
  return {
    reload: () => take(read(readFile)),
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

function takeOver({ app, environment, generatedTokens }: ReloadOptions, file: ReadFile): void {
  if (file instanceof ConfigError) throw file;
  // A program that writes the file anew empties it first, and may take longer than two checks.
  if (file?.text.trim() === "") throw new ConfigError([`${file.path}: is empty`]);
  const { config, given } = loadConfig(environment, file);
  const adminTokens = given.adminTokens.length > 0 ? given.adminTokens : generatedTokens;
  if (adminTokens.length === 0) throw new ConfigError(["admin_tokens: must have at least one token, or KEYWRIGHT_ADMIN_TOKEN must be set"]);
  app.replaceCallers({ roles: config.roles, adminIssuers: config.adminIssuers, adminCertificates: config.adminCertificates, adminTokens });
}

/** Returns the settings whose values differ from those at the start, and which a reload does not take over. */
function changedSettings({ environment, loaded }: ReloadOptions, file: LoadedFile): SettingName[] {
  const [before, now] = [loaded, file].map((given) => rawSettings(environment, given, []));
  const textOf = (raw: typeof now, name: SettingName) => JSON.stringify(raw?.[name]?.value);
  return settingNames.filter((name) => !reloaded.includes(name) && textOf(before, name) !== textOf(now, name));
}

function read(readFile: ReloadOptions["readFile"]): ReadFile {
  try {
    return readFile();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

/** Returns null if there is no file, or if it could not be read. */
function textOf(file: ReadFile): string | null {
  return file === null || file instanceof ConfigError ? null : file.text;
}
