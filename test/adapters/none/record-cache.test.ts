import { expect, test } from "vitest";
import { createNoRecordCache } from "../../../src/adapters/none/record-cache.ts";
import { keyRecord } from "../../support/key-record.ts";

test("no cache: always a miss", () => {
  const cache = createNoRecordCache();
  const { keyId } = keyRecord();
  cache.putIfNewer("t", keyId, { record: keyRecord(), revision: 1, deadlineMs: Number.MAX_SAFE_INTEGER }, 0);
  expect(cache.get("t", keyId, 0)).toBeUndefined();
});
