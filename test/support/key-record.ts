import type { KeyRecord } from "../../src/core/key.ts";

/** A key with every field set, each different from `keyRecord()`. */
export const fullRecord: KeyRecord = {
  kind: "imported",
  keyId: "0123456789abcdef".repeat(4),
  revision: 7,
  firstRevision: 7,
  digest: "sha256",
  name: "a name",
  actorId: "an actor",
  scopes: ["z", "a", "m:read"],
  metadata: { team: "core" },
  rateLimitPolicy: { quota: 100n, windowMs: 60_000, unit: "requests" },
  allowedCidrs: ["10.0.0.0/8", "2001:db8::/32"],
  visibility: "public",
  createTimeMs: 1_700_000_000_001,
  updateTimeMs: 1_700_000_000_002,
  expireTimeMs: 4_102_444_800_003,
  revocation: { reason: "privilege_withdrawn", description: "gone" },
  disabled: false,
  lineageId: "A",
  supersededBy: "B",
  lastUsedTimeMs: 1_700_000_000_004,
};

/** A plain active issued key, with a test's changes. */
export function keyRecord(overrides: Partial<KeyRecord> = {}): KeyRecord {
  const { keyId = "01HQZX9VYQKJB8XQZQXQZQXQXQ" } = overrides;
  return {
    kind: "issued",
    keyId,
    revision: 1,
    firstRevision: 1,
    digest: "digest",
    name: "",
    actorId: "",
    scopes: [],
    metadata: null,
    rateLimitPolicy: null,
    allowedCidrs: [],
    visibility: "secret",
    createTimeMs: 0,
    updateTimeMs: 0,
    expireTimeMs: null,
    revocation: null,
    disabled: false,
    lineageId: keyId,
    supersededBy: null,
    lastUsedTimeMs: null,
    ...overrides,
  };
}
