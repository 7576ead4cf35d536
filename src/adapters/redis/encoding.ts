import { crc32 } from "node:zlib";
import type { KeyRecord, RevocationReason } from "../../core/key.ts";
import type { CacheEntry } from "../../ports/record-cache.ts";

/*
 * An entry, numbers big-endian:
 *
 *     byte  0     version of the body
 *           1-6   revision
 *           7-12  deadline in epoch milliseconds
 *          13-16  CRC-32 of bytes 0 to 12 and of the body
 *          17-    body: nothing for an absent key, else the record's fields as a JSON array
 *
 * Bytes 0 to 12 are read by the scripts (scripts.ts) and by other releases, whatever the version, so they never change within one layout
 * (names.ts). A release that does not know the version takes the entry for a miss.
 */
const version = 2;
const crcAt = 13;
const bodyAt = 17;

const kinds = ["issued", "imported"] as const;
const visibilities = ["secret", "public"] as const;
const reasons = [
  "key_compromise",
  "affiliation_changed",
  "superseded",
  "privilege_withdrawn",
] as const satisfies readonly RevocationReason[];

/** Revision and deadline must fit 48 bits; both do for the next 8000 years. */
export function encodeEntry(entry: CacheEntry): Buffer {
  const body = entry.record === null ? "" : JSON.stringify(fieldsOf(entry.record));
  const bytes = Buffer.allocUnsafe(bodyAt + Buffer.byteLength(body));
  bytes[0] = version;
  bytes.writeUIntBE(entry.revision, 1, 6);
  bytes.writeUIntBE(Math.max(0, Math.floor(entry.deadlineMs)), 7, 6);
  bytes.write(body, bodyAt);
  bytes.writeUInt32BE(checksum(bytes), crcAt);
  return bytes;
}

/** Undefined for bytes that are damaged, of another version, or not of this key. */
export function decodeEntry(bytes: Buffer, keyId: string): CacheEntry | undefined {
  if (bytes.length < bodyAt || bytes[0] !== version || bytes.readUInt32BE(crcAt) !== checksum(bytes)) return undefined;
  const revision = bytes.readUIntBE(1, 6);
  const deadlineMs = bytes.readUIntBE(7, 6);
  if (bytes.length === bodyAt) return { record: null, revision, deadlineMs };
  try {
    const record = recordOf(JSON.parse(bytes.toString("utf8", bodyAt)) as Fields, revision);
    return record.keyId === keyId ? { record, revision, deadlineMs } : undefined;
  } catch {
    return undefined;
  }
}

function checksum(bytes: Buffer): number {
  return crc32(bytes.subarray(bodyAt), crc32(bytes.subarray(0, crcAt)));
}

function fieldsOf(record: KeyRecord) {
  const { rateLimitPolicy: rate, revocation } = record;
  return [
    kinds.indexOf(record.kind),
    record.keyId,
    record.digest,
    record.name,
    record.actorId,
    visibilities.indexOf(record.visibility),
    record.createTimeMs,
    record.updateTimeMs,
    record.expireTimeMs,
    record.lastUsedTimeMs,
    record.scopes,
    record.allowedCidrs,
    revocation === null ? null : ([reasons.indexOf(revocation.reason), revocation.description] as const),
    rate === null ? null : ([String(rate.quota), rate.windowMs, rate.unit] as const),
    record.metadata,
    record.firstRevision,
  ] as const;
}

type Fields = ReturnType<typeof fieldsOf>;

/** The checksum vouches for the shape: whoever wrote this version wrote these fields. */
function recordOf(fields: Fields, revision: number): KeyRecord {
  const [kind, keyId, digest, name, actorId, visibility, createTimeMs, updateTimeMs, expireTimeMs, lastUsedTimeMs, ...more] = fields;
  const [scopes, allowedCidrs, revocation, rate, metadata, firstRevision] = more;
  return {
    kind: known(kinds[kind]),
    keyId,
    revision,
    firstRevision,
    digest,
    name,
    actorId,
    scopes,
    metadata,
    rateLimitPolicy: rate === null ? null : { quota: BigInt(rate[0]), windowMs: rate[1], unit: rate[2] },
    allowedCidrs,
    visibility: known(visibilities[visibility]),
    createTimeMs,
    updateTimeMs,
    expireTimeMs,
    revocation: revocation === null ? null : { reason: known(reasons[revocation[0]]), description: revocation[1] },
    lastUsedTimeMs,
  };
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("a name of another release");
  return value;
}
