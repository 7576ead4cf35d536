import { createSecretKey, hkdfSync, type KeyObject } from "node:crypto";
import type { SecretMarks } from "./secret-marks.ts";

/** The current server secret, and the retired ones that it replaced. */
export interface ServerSecrets {
  readonly current: string;
  readonly retired: readonly { readonly secret: string; readonly expireTimeMs: number | null }[];
}

type Purpose = "tag" | "import" | "macaroon-root" | "page-token";

const subkeyBytes = 32;

export interface Subkey {
  readonly key: KeyObject;
  /** Null: it is valid as long as its secret is listed. Imported keys ignore this, and are looked up as long as the secret is listed. */
  readonly expireTimeMs: number | null;
}

/** The subkeys for one purpose. The one of the current secret is the first. With a salt, nobody can derive them from the secret alone. */
export function deriveSubkeys(secrets: ServerSecrets, purpose: Purpose, salt: string | Uint8Array = ""): readonly [Subkey, ...Subkey[]] {
  const derive = (secret: string) =>
    createSecretKey(new Uint8Array(hkdfSync("sha256", secret, salt, `keywright/v1/${purpose}`, subkeyBytes)));
  return [
    { key: derive(secrets.current), expireTimeMs: null },
    ...secrets.retired.map(({ secret, expireTimeMs }) => ({ key: derive(secret), expireTimeMs })),
  ];
}

/** 16 bits: enough to notice a wrong secret, and too few to confirm a guess at one with a copy of the store. */
const markBytes = 2;

/**
 * What a store keeps of the server secrets with which it was used, to notice a wrong one. The salt is the store's, so the marks of one
 * secret in two stores differ.
 */
export function deriveSecretMarks({ current, retired }: ServerSecrets, salt: Uint8Array): SecretMarks {
  const derive = (secret: string) => Buffer.from(hkdfSync("sha256", secret, salt, "keywright/v1/secret-mark", markBytes)).toString("hex");
  return { current: derive(current), retired: retired.map(({ secret }) => derive(secret)) };
}

export function isLive(subkey: Subkey, nowMs: number): boolean {
  return subkey.expireTimeMs === null || nowMs < subkey.expireTimeMs;
}
