import type { App } from "./app.ts";
import type { AdminToken } from "./config/config.ts";
import { loadConfig } from "./config/load.ts";
import { ConfigError } from "./config/problems.ts";
import type { Log } from "./telemetry/log.ts";

export interface ReloadOptions {
  readonly app: Pick<App, "replaceCallers">;
  readonly log: Log;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Reads the configuration file; null if there is none. Throws ConfigError if it cannot be read. */
  readonly readFile: () => { readonly path: string; readonly text: string } | null;
  /** Accepted where none is configured: the generated token, or none. */
  readonly generatedTokens: readonly AdminToken[];
}

/** Between two looks at the file. */
const watchIntervalMs = 2000;

/**
 * Returns a function that takes over tokens, issuers and roles from the configuration. A configuration with a problem changes nothing, and the
 * log says which setting it is. Calls it by itself when the text of the file changes; a file that is replaced or is a link counts too.
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

/** Null if it cannot be read. */
function textOf(readFile: ReloadOptions["readFile"]): string | null {
  try {
    return readFile()?.text ?? null;
  } catch {
    return null;
  }
}
