import { crc32 } from "node:zlib";
import type { KeyKind, KeyRecord, RevocationReason, Visibility } from "../../core/key.ts";
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
 * (names.ts). A release treats an entry of an unknown version as a miss. So a change of the body, such as one more field, needs the next
 * version: otherwise a release without the field would read an entry that has it, and a release with it would read an entry that lacks it.
 */
const version = 3;
const crcAt = 13;
const bodyAt = 17;

/** Numbers that stand for names in the body, the same in all releases. */
const kinds: Numbers<KeyKind> = { issued: 0, imported: 1, tenant: 2, actor_limit: 3 };
const visibilities: Numbers<Visibility> = { secret: 0, public: 1 };
const reasons: Numbers<RevocationReason> = { key_compromise: 0, affiliation_changed: 1, superseded: 2, privilege_withdrawn: 3 };

type Numbers<Name extends string> = Readonly<Record<Name, number>>;

/** Revision and deadline must fit into 48 bits; both do for the next 8000 years. */
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

/** Returns undefined for bytes that are damaged, of another version, or of another key. */
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
    kinds[record.kind],
    record.keyId,
    record.digest,
    record.name,
    record.actorId,
    visibilities[record.visibility],
    record.createTimeMs,
    record.updateTimeMs,
    record.expireTimeMs,
    record.lastUsedTimeMs,
    record.scopes,
    record.allowedCidrs,
    revocation === null ? null : ([reasons[revocation.reason], revocation.description] as const),
    rate === null ? null : ([String(rate.quota), rate.windowMs, rate.unit] as const),
    record.metadata,
    record.firstRevision,
    record.disabled,
    record.lineageId,
    record.supersededBy,
  ] as const;
}

type Fields = ReturnType<typeof fieldsOf>;

/** The checksum guarantees the shape: every entry of this version has these fields. */
function recordOf(fields: Fields, revision: number): KeyRecord {
  const [kind, keyId, digest, name, actorId, visibility, createTimeMs, updateTimeMs, expireTimeMs, lastUsedTimeMs, ...more] = fields;
  const [scopes, allowedCidrs, revocation, rate, metadata, firstRevision, disabled, lineageId, supersededBy] = more;
  return {
    kind: nameOf(kinds, kind),
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
    visibility: nameOf(visibilities, visibility),
    createTimeMs,
    updateTimeMs,
    expireTimeMs,
    revocation: revocation === null ? null : { reason: nameOf(reasons, revocation[0]), description: revocation[1] },
    disabled,
    lineageId,
    supersededBy,
    lastUsedTimeMs,
  };
}

function nameOf<Name extends string>(numbers: Numbers<Name>, number: number): Name {
  for (const name in numbers) if (numbers[name] === number) return name;
  throw new Error("a name of another release");
}
