/**
 * The shapes of credentials, defined once. The code that mints and reads them, the redaction of logs and of the audit trail, the settings
 * and the pattern for secret scanners use this file. A test fails if another file repeats one of these texts.
 */

/** The kind of credential that was presented. `none`: the text cannot be a credential, or nothing looked at it. */
export type CredentialKind = "issued" | "imported" | "jwt" | "macaroon" | "none";

/** Follows the prefix in issued keys and macaroons. */
export const versionMark = "_v1_";
/** The word that macaroons begin with. No key prefix may be equal to it. */
export const macaroonWord = "mc";
export const macaroonPrefix = macaroonWord + versionMark;
/** Prefix of a generated admin token. */
export const adminTokenPrefix = "kwadm_";
/** Every JWT begins with this: the base64url of `{"`, the beginning of its header. */
export const jwtPrefix = "eyJ";

/** The key id of an issued key: a ULID. */
export const issuedKeyIdLength = 26;
/** The parts of an issued key after its key id, in this order, in base62. */
export const tailLengths = { random: 32, tag: 11, checksum: 6 } as const;
export const tailLength = tailLengths.random + tailLengths.tag + tailLengths.checksum;

/** One to three words of lower-case letters and digits, joined by underscores: `kw`, `acme_live`. */
export const keyPrefixShape = /^[a-z][a-z0-9]{0,15}(_[a-z0-9]{1,15}){0,2}$/;

/** Header, payload and signature of a compact JWS. An unsigned JWT has an empty signature. */
export const jwtShape = /^([\w-]+)\.([\w-]+)\.([\w-]*)$/;

/** The prefix of public keys that belongs to a prefix of secret keys. */
export function publicPrefixOf(secretPrefix: string): string {
  return `${secretPrefix}_pub`;
}

/**
 * The shape of issued keys with one of the prefixes, for this service and for secret scanners. The pattern has no boundaries at its ends:
 * in JSON a key may follow `\n`, and in a URL `%0A`, and the last character of both looks like a part of the key.
 */
export function issuedKeyPattern(prefixes: readonly string[]): string {
  return `(?:${prefixes.join("|")})${versionMark}[0-9A-HJKMNP-TV-Z]{${issuedKeyIdLength}}_[0-9A-Za-z]{${tailLength}}`;
}

/**
 * The shape of what may be left of issued keys with one of the prefixes. The first group is an undamaged key id, which other systems may
 * have after such a prefix too. The second one is, before an undamaged tail, a key id in which a character was lost, added or changed.
 */
export function damagedKeyPattern(prefixes: readonly string[]): string {
  const begin = `(?:${prefixes.join("|")})${versionMark}`;
  const damagedId = `.{${issuedKeyIdLength - 1},${issuedKeyIdLength + 1}}`;
  return `${begin}(?:([0-9A-HJKMNP-TV-Z]{${issuedKeyIdLength}})_|(${damagedId})_[0-9A-Za-z]{${tailLength}}$)`;
}

/** Reports whether a text has as many characters of ULIDs as a key id of which one was lost or changed. */
export function isNearlyKeyId(text: string): boolean {
  return text.replace(/[^0-9A-HJKMNP-TV-Z]/g, "").length >= issuedKeyIdLength - 1;
}

/** How to find one kind of credential inside a longer text. */
interface ShapeInText {
  /** Part of every credential of this kind. A search for it is cheap, so it comes first. */
  readonly mark: string;
  /** Source of a regular expression without boundaries. It finds damaged credentials too, since most of a secret is in them as well. */
  readonly pattern: string;
}

/** Imported keys are missing: they can look like anything. */
const shapesInText: Readonly<Record<Exclude<CredentialKind, "imported" | "none"> | "adminToken", ShapeInText>> = {
  issued: { mark: versionMark, pattern: `[a-z][a-z0-9_]{0,31}${versionMark}[\\w+/-]{16,}={0,2}` },
  macaroon: { mark: macaroonPrefix, pattern: `${macaroonPrefix}[\\w+/-]{16,}={0,2}` },
  adminToken: { mark: adminTokenPrefix, pattern: `${adminTokenPrefix}[\\w-]{16,}` },
  jwt: { mark: jwtPrefix, pattern: `${jwtPrefix}[\\w-]{8,}\\.[\\w-]+(?:\\.[\\w-]*)?` },
};

/** Matches every text that contains a credential of this service or a JWT, and some others. */
export const credentialMark = new RegExp(
  Object.values(shapesInText)
    .map(({ mark }) => mark)
    .join("|"),
);
/**
 * Patterns for the credentials of this service and for JWTs inside a text, one per kind. Apply them in this order: if one credential
 * follows another without a gap, the kind with more characters in its alphabet must be found first.
 */
export const credentialsInText = Object.values(shapesInText).map(({ pattern }) => new RegExp(pattern, "g"));
