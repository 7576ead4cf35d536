import { createHash } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { generateJwkSet } from "../../src/config/signing-key.ts";

/**
 * Settings that put a server of the vitest project `servers-mongodb` on MongoDB and Redis; empty in other projects. They depend on the data
 * folder, so that a server that is started again on the same folder finds its keys.
 */
export async function backendSettings(dataDir: string, listsTokens: boolean): Promise<Record<string, string>> {
  if (process.env.KEYWRIGHT_TEST_PROJECT !== "servers-mongodb") return {};
  const [mongoUri, redisUri] = (process.env.KEYWRIGHT_TEST_BACKEND ?? "").split(" ");
  if (mongoUri === undefined || mongoUri === "" || redisUri === undefined) return {};
  const unique = createHash("sha256").update(dataDir).digest("hex");
  const signingKeys = join(dataDir, "signing-keys.json");
  if (!existsSync(signingKeys)) writeFileSync(signingKeys, await generateJwkSet(), { mode: 0o600 });
  const uri = new URL(mongoUri);
  uri.pathname = `/keywright-${unique.slice(0, 12)}`;
  return {
    KEYWRIGHT_STORE: uri.href,
    KEYWRIGHT_CACHE: redisUri,
    KEYWRIGHT_SECRET: `server-${unique}`,
    KEYWRIGHT_SIGNING_KEYS: pathToFileURL(signingKeys).href,
    ...(listsTokens ? {} : { KEYWRIGHT_ADMIN_TOKEN: `kwadm_${unique}` }),
  };
}
