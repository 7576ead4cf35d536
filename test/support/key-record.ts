import type { KeyRecord } from "../../src/core/key.ts";

/** A plain active issued key, with whatever a test needs to be different. */
export function keyRecord(overrides: Partial<KeyRecord> = {}): KeyRecord {
  return {
    kind: "issued",
    keyId: "01HQZX9VYQKJB8XQZQXQZQXQXQ",
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
    lastUsedTimeMs: null,
    ...overrides,
  };
}
