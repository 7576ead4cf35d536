import { createHmac, hash, timingSafeEqual } from "node:crypto";
import { crc32 } from "node:zlib";
import { encodeBase62, encodeBase62Uint64, randomBase62 } from "./base62.ts";
import { createBoundedMemory } from "./bounded-memory.ts";
import {
  type CredentialKind,
  damagedKeyPattern,
  isNearlyKeyId,
  issuedKeyIdLength,
  issuedKeyPattern,
  jwtPrefix,
  jwtShape,
  macaroonPrefix,
  publicPrefixOf,
  tailLength,
  tailLengths,
  versionMark,
} from "./credential-shape.ts";
import type { KeyRecord, Visibility } from "./key.ts";
import { deriveSubkeys, isLive, type ServerSecrets, type Subkey } from "./subkeys.ts";
import type { ReadToken } from "./token/facts.ts";
import { isRootOf } from "./token/token-verdict.ts";
import type { RefusalCode } from "./verdict.ts";

/** Prefixes of issued keys. Retired ones still verify. */
export interface KeyPrefixes {
  readonly secret: string;
  readonly public: string;
  readonly retired: readonly string[];
}

/** A presented key. It is valid only if a record matches. `keyIds` are the ids to look up, in order; the first matching record decides. */
export type PresentedKey =
  | { readonly type: "issued"; readonly keyIds: readonly [string]; readonly digest: string }
  /** The ids are those under the current server secret and then under each retired one. */
  | { readonly type: "imported"; readonly keyIds: readonly [string, ...string[]]; readonly unlessImported?: Refused };

/** A refused credential. As `unlessImported`, it is the refusal if the look-up finds no record. */
export interface Refused {
  readonly kind: CredentialKind;
  readonly code: RefusalCode;
}

/** A derived token with a valid signature, and the id of its root key. Without a key id, the token is valid without a record. */
export interface PresentedToken {
  readonly type: "jwt" | "macaroon";
  readonly keyIds: readonly [string] | readonly [];
  readonly token: ReadToken;
}

export type PresentedCredential = PresentedKey | PresentedToken;

/** The kind of a presented credential, as far as its text shows. */
export type ParsedCredential =
  | PresentedKey
  /** It has the shape of an issued key, but a wrong checksum, or a tag of a retired secret that has expired. */
  | { readonly type: "forged" }
  | { readonly type: "jwt" }
  | { readonly type: "macaroon" }
  /** It cannot be a credential. */
  | { readonly type: "unreadable" };

/** The prefixes of a tenant's own keys, in addition to those of the installation. */
export interface TenantPrefixes {
  /** Empty: the tenant has none. */
  readonly keyPrefix: string;
  readonly retiredPrefixes: readonly string[];
}

/** A damaged issued key, or a key of another system that looks like one: it was issued here if a key with this id exists. */
export interface DamagedKey {
  /** Null if the id itself is damaged. Then the text is ours: no other system has such a tail after such an id. */
  readonly keyId: string | null;
}

export interface Credentials {
  /** Makes a new issued key: `<prefix>_v1_<key id>_<32 random, 11 tag, 6 CRC-32>`. */
  mint(tenant: string, keyId: string, visibility: Visibility): string;
  /**
   * Parses a presented text. Costs one HMAC, or one SHA-256 for a key that was seen recently. Does no I/O. An issued key of another
   * installation has a correct checksum and an unknown tag, so it can be an imported key here.
   */
  parse(tenant: string, text: string, nowMs: number): ParsedCredential;
  /** Reads `text` as an imported key, whatever it looks like. Returns null if it cannot be one. */
  asImported(tenant: string, text: string, unlessImported?: Refused): PresentedKey | null;
  /**
   * Returns which key this text may be what is left of; null if it is none. Keys of other installations with our prefixes may be such only
   * if they are damaged.
   */
  damagedKey(tenant: string, text: string): DamagedKey | null;
  /** The ids of an imported key with this SHA-256: under the current server secret, then under each retired one. */
  importedKeyIds(tenant: string, sha256: Uint8Array): readonly [string, ...string[]];
}

const maxImportedBytes = 4096;
const rememberedTags = 50_000;

export function createCredentials(
  secrets: ServerSecrets,
  prefixes: KeyPrefixes,
  randomBytes: (byteLength: number) => Uint8Array,
  tenantPrefixesOf: (tenant: string) => TenantPrefixes = () => noPrefixes,
): Credentials {
  const tagKeys = deriveSubkeys(secrets, "tag");
  const importKeys = deriveSubkeys(secrets, "import");
  const allPrefixes = [prefixes.secret, prefixes.public, ...prefixes.retired];
  const issuedShape = new RegExp(`^${issuedKeyPattern(allPrefixes)}$`);
  const damagedShape = new RegExp(`^${damagedKeyPattern(allPrefixes)}`);
  /**
   * The subkeys of valid tags, by digest of the key, which is valid for one tenant. A second check of a tag would cost more than the rest
   * of parsing (bench/micro.ts).
   */
  const knownTags = createBoundedMemory<{ readonly tenant: string; readonly tagKey: Subkey }>(rememberedTags);

  /** The subkey of the tag. `damaged`: the checksum is wrong. `foreign`: the tag was made with none of our secrets. */
  const tagKeyOf = (tenant: string, text: string, digest: string): Subkey | "damaged" | "foreign" => {
    const known = knownTags.get(digest);
    if (known?.tenant === tenant) return known.tagKey;
    const tagged = text.slice(0, -tailLengths.checksum);
    if (checksum(tagged) !== text.slice(-tailLengths.checksum)) return "damaged";
    const body = tagged.slice(0, -tailLengths.tag);
    const tagKey = tagKeys.find((subkey) => equalText(tagOf(subkey, tenant, body), tagged.slice(-tailLengths.tag)));
    if (tagKey === undefined) return "foreign";
    knownTags.set(digest, { tenant, tagKey });
    return tagKey;
  };

  const importedKeyIds: Credentials["importedKeyIds"] = (tenant, sha256) => {
    const [current, ...retired] = importKeys;
    return [importedKeyId(current, tenant, sha256), ...retired.map((subkey) => importedKeyId(subkey, tenant, sha256))];
  };

  const asImported: Credentials["asImported"] = (tenant, text, unlessImported) => {
    if (rawKeyProblem(text) !== null) return null;
    const keyIds = importedKeyIds(tenant, hash("sha256", text, "buffer"));
    return { type: "imported", keyIds, ...(unlessImported !== undefined && { unlessImported }) };
  };

  return {
    importedKeyIds,
    asImported,

    damagedKey(tenant, text) {
      if (!text.includes(versionMark)) return null;
      if (issuedShape.test(text) || isOfTenant(tenantPrefixesOf(tenant), text)) return null;
      const [, keyId = null, damagedId = ""] = damagedShape.exec(text) ?? damagedOfTenant(tenantPrefixesOf(tenant), text) ?? [];
      return keyId !== null || isNearlyKeyId(damagedId) ? { keyId } : null;
    },

    mint(tenant, keyId, visibility) {
      const { keyPrefix } = tenantPrefixesOf(tenant);
      const own = visibility === "public" ? publicPrefixOf(keyPrefix) : keyPrefix;
      const body = `${keyPrefix === "" ? prefixes[visibility] : own}${versionMark}${keyId}_${randomBase62(tailLengths.random, randomBytes)}`;
      const tagged = body + tagOf(tagKeys[0], tenant, body);
      return tagged + checksum(tagged);
    },

    parse(tenant, text, nowMs) {
      if (issuedShape.test(text) || isOfTenant(tenantPrefixesOf(tenant), text)) {
        const digest = digestOf(text);
        const tagKey = tagKeyOf(tenant, text, digest);
        if (tagKey === "damaged") return { type: "forged" };
        if (tagKey === "foreign") return asImported(tenant, text, { kind: "issued", code: "not_found" }) ?? { type: "forged" };
        return isLive(tagKey, nowMs) ? { type: "issued", keyIds: [keyIdOf(text)], digest } : { type: "forged" };
      }
      if (text.startsWith(macaroonPrefix)) return { type: "macaroon" };
      if (text.startsWith(jwtPrefix) && jwtShape.test(text)) return { type: "jwt" };
      return asImported(tenant, text) ?? { type: "unreadable" };
    },
  };
}

export function isPresentedKey(presented: ParsedCredential): presented is PresentedKey {
  return presented.type === "issued" || presented.type === "imported";
}

export function kindOf({ type }: ParsedCredential): CredentialKind {
  if (type === "forged") return "issued";
  return type === "unreadable" ? "none" : type;
}

/** Reports whether a record found under one of the key ids is the record of the presented key, or of the root key of a token. */
export function matchesRecord(presented: PresentedCredential, record: KeyRecord): boolean {
  switch (presented.type) {
    case "issued":
      return record.kind === presented.type && equalText(record.digest, presented.digest);
    case "imported":
      return record.kind === presented.type;
    default:
      return isRootOf(presented.token, record);
  }
}

const noPrefixes: TenantPrefixes = { keyPrefix: "", retiredPrefixes: [] };
const lengthAfterPrefix = versionMark.length + issuedKeyIdLength + 1 + tailLength;
const shapeOfAnyPrefix = new RegExp(`^${issuedKeyPattern(["[a-z][a-z0-9_]*"])}$`);

/** The prefix is compared before the shape, with one expression for all tenants: an expression for each would seldom be compiled. */
function isOfTenant({ keyPrefix, retiredPrefixes }: TenantPrefixes, text: string): boolean {
  if (keyPrefix === "" && retiredPrefixes.length === 0) return false;
  const prefix = text.slice(0, -lengthAfterPrefix);
  return (isPrefixOf(keyPrefix, prefix) || retiredPrefixes.some((own) => isPrefixOf(own, prefix))) && shapeOfAnyPrefix.test(text);
}

function damagedOfTenant({ keyPrefix, retiredPrefixes }: TenantPrefixes, text: string): RegExpExecArray | null {
  const own = [keyPrefix, ...retiredPrefixes].filter((prefix) => prefix !== "");
  return own.length === 0 ? null : new RegExp(`^${damagedKeyPattern([...own, ...own.map(publicPrefixOf)])}`).exec(text);
}

function isPrefixOf(own: string, prefix: string): boolean {
  return own !== "" && (prefix === own || prefix === publicPrefixOf(own));
}

/** Returns the prefix of a text that has the shape of an issued key. Empty for other texts. */
export function prefixOf(text: string): string {
  return shapeOfAnyPrefix.test(text) ? text.slice(0, -lengthAfterPrefix) : "";
}

/** The key id in a text that has the shape of an issued key. */
function keyIdOf(text: string): string {
  return text.slice(-tailLength - 1 - issuedKeyIdLength, -tailLength - 1);
}

/** The SHA-256 in base64url, which the store keeps for an issued key. */
export function digestOf(issuedKey: string): string {
  return hash("sha256", issuedKey, "base64url");
}

/** Compares digests and tags in constant time, so that the duration does not show where they differ. */
function equalText(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}

/** The reason why a text cannot be an imported key. Null if it can be one. */
export function rawKeyProblem(rawKey: string): string | null {
  if (rawKey === "") return "must not be empty";
  if (Buffer.byteLength(rawKey) > maxImportedBytes) return `must be at most ${maxImportedBytes} bytes`;
  if (/^[\s\p{Cc}]|[\s\p{Cc}]$/u.test(rawKey)) return "must not begin or end with white space or a control character";
  return rawKey.isWellFormed() ? null : "must be valid Unicode";
}

/** Parses a SHA-256 in hex or in base64 of either alphabet, padded or not. Returns null for anything else. */
export function parseSha256(text: string): Uint8Array | null {
  if (/^[\da-f]{64}$/i.test(text)) return Buffer.from(text, "hex");
  if (!/^(?:[A-Za-z\d+/]{43}|[\w-]{43})=?$/.test(text)) return null;
  const bytes = Buffer.from(text, "base64");
  // The last character has two unused bits, which must be 0.
  return bytes.toString("base64url").at(-1) === text.charAt(42) ? bytes : null;
}

function tagOf(subkey: Subkey, tenant: string, body: string): string {
  return encodeBase62Uint64(createHmac("sha256", subkey.key).update(`${tenant}\0${body}`).digest());
}

function checksum(tagged: string): string {
  return encodeBase62(crc32(tagged), tailLengths.checksum);
}

/** HMAC-SHA-512/256 of tenant, a zero byte and the SHA-256 of the raw key. So a key of which only the digest is known has the same id. */
function importedKeyId(subkey: Subkey, tenant: string, sha256: Uint8Array): string {
  return createHmac("sha512-256", subkey.key).update(`${tenant}\0`).update(sha256).digest("hex");
}
