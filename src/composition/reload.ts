import type { AdminToken } from "../config/config.ts";
import { loadConfig } from "../config/load.ts";
import { ConfigError } from "../config/problems.ts";
import type { Log } from "../ports/log.ts";
import type { App } from "./app.ts";

export interface ReloadOptions {
  readonly app: Pick<App, "replaceCallers">;
  readonly log: Log;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Reads the configuration file; null if there is none. Throws ConfigError if it cannot be read. */
  readonly readFile: () => { readonly path: string; readonly text: string } | null;
  /** Tokens that are accepted if none is configured: the generated token, or none. */
  readonly generatedTokens: readonly AdminToken[];
}

/** Interval between two checks of the file. */
const watchIntervalMs = 2000;

/**
 * Returns a function that reloads tokens, issuers and roles from the configuration. If the configuration has a problem, nothing changes and
 * the log names the setting. The function also runs when the text of the file changes, even if the file is a link or is replaced.
 */
export function createReload(options: ReloadOptions): () => void {
  const { log, readFile } = options;
  let lastText = textOf(readFile);
  const reload = () => {
    try {
      lastText = textOf(readFile);
      takeOver(options);
      log.info({}, "tokens, issuers and roles were read again");
    } catch (error) {
      const reason = error instanceof ConfigError ? { problems: error.problems } : { error };
      log.error(reason, "the configuration cannot be used; tokens, issuers and roles stay as they are");
    }
  };
  setInterval(() => {
    if (textOf(readFile) !== lastText) reload();
  }, watchIntervalMs).unref();
  return reload;
}

function takeOver({ app, environment, readFile, generatedTokens }: ReloadOptions): void {
  const { config, given } = loadConfig(environment, readFile());
  const adminTokens = given.adminTokens.length > 0 ? given.adminTokens : generatedTokens;
  if (adminTokens.length === 0) throw new ConfigError(["admin_tokens: must have at least one token, or KEYWRIGHT_ADMIN_TOKEN must be set"]);
  app.replaceCallers({ roles: config.roles, adminIssuers: config.adminIssuers, adminCertificates: config.adminCertificates, adminTokens });
}

/** Returns null if the file cannot be read. */
function textOf(readFile: ReloadOptions["readFile"]): string | null {
  try {
    return readFile()?.text ?? null;
  } catch {
    return null;
  }
}
