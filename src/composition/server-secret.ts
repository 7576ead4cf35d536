import { storeStartError } from "../adapters/open.ts";
import { ConfigError } from "../config/problems.ts";
import { deriveSecretMarks, type ServerSecrets } from "../core/subkeys.ts";
import type { KeyStore } from "../ports/key-store.ts";
import type { Log } from "../ports/log.ts";

/**
 * Rejects if the store has keys, and was used before with none of these server secrets: with a wrong one, no issued key would be found, and
 * nothing else would report it. A retired secret counts even if it has expired, because it shows that these settings belong to the store.
 */
export async function checkServerSecret(
  store: Pick<KeyStore, "tokenSalt" | "acceptSecrets">,
  secrets: ServerSecrets,
  log: Pick<Log, "info" | "warn">,
): Promise<void> {
  const acceptance = await store.acceptSecrets(deriveSecretMarks(secrets, store.tokenSalt)).catch((error: unknown) => {
    throw storeStartError(error);
  });
  if (acceptance === "added") log.info({}, "the store remembers this server secret from now on");
  if (acceptance === "older")
    log.warn({}, "the newest server secret of the store is not listed in KEYWRIGHT_SECRETS_RETIRED, so its keys are not found");
  if (acceptance === "replaced") log.warn({}, "the store has no keys, so it forgets its former server secret and remembers this one");
  if (acceptance !== "refused") return;
  throw new ConfigError([
    "KEYWRIGHT_SECRET: the store was used with another server secret, without which its keys are not found; check KEYWRIGHT_STORE; if it is " +
      "right, set that secret, or list it in KEYWRIGHT_SECRETS_RETIRED; docs/operations.md says how to give up the keys",
  ]);
}
