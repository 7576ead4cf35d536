import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { adminTokenPrefix } from "../core/credential-shape.ts";
import { systemReason } from "../error/system-reason.ts";
import { databaseFileOf } from "./backends.ts";
import type { Config, GivenSecrets, Secrets } from "./config.ts";
import { accessProblems } from "./file-access.ts";
import { createWhole, readIfExists } from "./generated-file.ts";
import { makeFolder } from "./make-folder.ts";
import { MalformedError } from "./parsers.ts";
import { ConfigError } from "./problems.ts";
import { adminTokenOf, bearerToken, serverSecret } from "./secret-parsers.ts";
import { checkJwkSet, generateJwkSet } from "./signing-key.ts";

const secretBytes = 32;
/** Length of the random suffix of a temporary file. */
const nameSuffixBytes = 9;

/** A note about the files for the start-up log. Never contains their content. */
export interface BootstrapNote {
  readonly level: "info" | "warn";
  readonly file: string;
  readonly text: string;
}

export interface BootstrapOutcome {
  readonly secrets: Secrets;
  /** Null if admin tokens were configured. */
  readonly adminTokenFile: string | null;
  readonly notes: readonly BootstrapNote[];
}

interface GeneratedFile {
  readonly name: string;
  /** Used in notes, for example "the server secret". */
  readonly title: string;
  readonly generate: () => string | Promise<string>;
  /** Throws MalformedError. */
  readonly check: (text: string) => unknown;
}

/**
 * Adds the secrets that were not given, from files in the data folder; creates missing files. Throws ConfigError for files that cannot be
 * used, or that other users of the machine can read or replace. If several processes start at once, one creates each file and all use it.
 */
export async function completeSecrets(
  config: Config,
  given: GivenSecrets,
  randomBytes: (byteLength: number) => Uint8Array,
): Promise<BootstrapOutcome> {
  await prepareFolder(config, given);
  const notes: BootstrapNote[] = [];
  const problems: string[] = [];
  const random = (byteLength: number) => Buffer.from(randomBytes(byteLength)).toString("base64url");

  async function contentOf({ name, title, generate, check }: GeneratedFile): Promise<string> {
    const path = join(config.dataDir, name);
    try {
      let text = await readIfExists(path);
      if (text === null) {
        const made = await createWhole(path, `${await generate()}\n`, `${name}-${random(nameSuffixBytes)}`);
        if (made) notes.push({ level: "info", file: path, text: `created ${title}` });
        text = await readIfExists(path);
      }
      const content = (text ?? "").trim();
      await check(content);
      return content;
    } catch (error) {
      if (!(error instanceof MalformedError) && !isFileError(error)) throw error;
      problems.push(error instanceof MalformedError ? `${path}: ${error.message}` : unusable(path, error));
      return "";
    }
  }

  let current = given.serverSecrets.current;
  if (current === null) {
    const file = join(config.dataDir, serverSecretName);
    const database = databaseFileOf(config.store);
    if (database !== null) {
      const [hasDatabase, hasSecret] = [existsSync(database), existsSync(file)];
      // A new secret would silently make every key in the store invalid.
      if (hasDatabase && !hasSecret)
        throw new ConfigError([`${file}: not found, but the store ${database} exists; restore the file or set KEYWRIGHT_SECRET`]);
      // Perhaps the folder of the store is not mounted.
      if (!hasDatabase && hasSecret)
        notes.push({
          level: "warn",
          file: database,
          text: `a new key store begins, but ${file} exists; restore a backup if keys are missing`,
        });
    }
    current = await contentOf({
      name: serverSecretName,
      title: "the server secret",
      generate: () => random(secretBytes),
      check: serverSecret,
    });
    if (given.serverSecrets.retired.some(({ secret }) => secret === current))
      problems.push(`KEYWRIGHT_SECRETS_RETIRED: must differ from ${file}`);
  }

  const adminTokenFile = given.adminTokens.length === 0 ? join(config.dataDir, adminTokenName) : null;
  let adminTokens = given.adminTokens;
  if (adminTokens.length === 0) {
    const generate = () => adminTokenPrefix + random(secretBytes);
    const token = await contentOf({ name: adminTokenName, title: "the admin token", generate, check: bearerToken });
    adminTokens = [adminTokenOf("admin", token)];
  }

  let signingKeys = given.signingKeys;
  if (signingKeys.length === 0) {
    await contentOf({ name: signingKeysName, title: "the signing key", generate: generateJwkSet, check: checkJwkSet });
    signingKeys = [pathToFileURL(join(config.dataDir, signingKeysName)).href];
  }

  if (problems.length > 0) throw new ConfigError(problems);
  return { secrets: { ...given, serverSecrets: { ...given.serverSecrets, current }, adminTokens, signingKeys }, adminTokenFile, notes };
}

/**
 * Makes the data folder, and refuses one that is unsafe, before anything is created in it. If everything is configured, nothing is read
 * from the data folder.
 */
async function prepareFolder({ store, dataDir }: Config, given: GivenSecrets): Promise<void> {
  const isComplete = given.serverSecrets.current !== null && given.adminTokens.length > 0 && given.signingKeys.length > 0;
  const database = databaseFileOf(store);
  if (database === null && isComplete) return;
  const problems = await accessProblems(dataDir, database).catch((error: unknown) => {
    if (!isFileError(error)) throw error;
    return [unusable(dataDir, error)];
  });
  if (problems.length > 0) throw new ConfigError(problems);
  if (isComplete) return;
  try {
    makeFolder(dataDir);
  } catch (error) {
    throw new ConfigError([unusable(dataDir, error)]);
  }
}

function unusable(path: string, error: unknown): string {
  return `KEYWRIGHT_DATA_DIR: ${path}: cannot be used: ${systemReason(error)}`;
}

const serverSecretName = "server-secret";
const adminTokenName = "admin-token";
const signingKeysName = "signing-keys.json";

function isFileError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && "syscall" in error && "code" in error;
}
