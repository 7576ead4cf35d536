import { storeStartError } from "../adapters/open.ts";
import { ConfigError } from "../config/problems.ts";
import { deriveSecretMarks, type ServerSecrets } from "../core/subkeys.ts";
import type { KeyStore } from "../ports/key-store.ts";

/**
 * Rejects if the store was used before, but with none of these server secrets: with a wrong one, no issued key would be found, and nothing
 * else would report it. A retired secret counts even if it has expired, because it shows that these settings belong to the store.
 */
export async function checkServerSecret(store: Pick<KeyStore, "tokenSalt" | "acceptSecret">, secrets: ServerSecrets): Promise<void> {
  const { current, retired } = deriveSecretMarks(secrets, store.tokenSalt);
  const isAccepted = await store.acceptSecret(current, retired).catch((error: unknown) => {
    throw storeStartError(error);
  });
  if (isAccepted) return;
  throw new ConfigError([
    "KEYWRIGHT_SECRET: the store was used with another server secret, without which its keys are not found; set that one or restore its " +
      "file, or list it in KEYWRIGHT_SECRETS_RETIRED to replace it; docs/operations.md says how to start without it",
  ]);
}
