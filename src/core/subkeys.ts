import { createSecretKey, hkdfSync, type KeyObject } from "node:crypto";

/** The server secret in use and those it replaced. */
export interface ServerSecrets {
  readonly current: string;
  readonly retired: readonly { readonly secret: string; readonly expireTimeMs: number | null }[];
}

type Purpose = "tag" | "import" | "macaroon-root" | "page-token";

const subkeyBytes = 32;

export interface Subkey {
  readonly key: KeyObject;
  /** Null: as long as the secret is listed. Ignored for imported keys, which are looked up for just as long as that. */
  readonly expireTimeMs: number | null;
}

/** The subkeys for one purpose, the current secret's first. With a salt, who does not know it cannot derive them from the secret. */
export function deriveSubkeys(secrets: ServerSecrets, purpose: Purpose, salt: string | Uint8Array = ""): readonly [Subkey, ...Subkey[]] {
  const derive = (secret: string) =>
    createSecretKey(new Uint8Array(hkdfSync("sha256", secret, salt, `keywright/v1/${purpose}`, subkeyBytes)));
  return [
    { key: derive(secrets.current), expireTimeMs: null },
    ...secrets.retired.map(({ secret, expireTimeMs }) => ({ key: derive(secret), expireTimeMs })),
  ];
}

export function isLive(subkey: Subkey, nowMs: number): boolean {
  return subkey.expireTimeMs === null || nowMs < subkey.expireTimeMs;
}
