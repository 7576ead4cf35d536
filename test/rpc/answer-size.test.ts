import { create, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { IssuedApiKeySchema } from "../../gen/keywright/v2alpha1/issued_api_key_pb.ts";
import type { KeyRecord } from "../../src/core/key.ts";
import { keyBytes } from "../../src/rpc/answer-size.ts";
import { keyToMessage } from "../../src/rpc/message.ts";
import { fullRecord } from "../support/key-record.ts";

const longText = "€".repeat(2000);
/** Fields with a fixed set of values. */
const listed: ReadonlySet<string> = new Set(["kind", "visibility", "unit", "reason"]);

/** Makes texts long and integers large, at any depth. */
function enlarge(value: unknown): unknown {
  if (typeof value === "string") return longText;
  if (typeof value === "bigint") return 2n ** 63n - 1n;
  if (Array.isArray(value)) return value.map(enlarge);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, listed.has(name) ? member : enlarge(member)]));
}

test.each(Object.keys(fullRecord).filter((name) => !listed.has(name)))("a key with a large %s takes at most keyBytes", (name) => {
  const record = { ...fullRecord, [name]: enlarge(fullRecord[name as keyof KeyRecord]) };
  const bytes = toBinary(IssuedApiKeySchema, create(IssuedApiKeySchema, keyToMessage(record, 0)));
  expect(bytes.length).toBeLessThanOrEqual(keyBytes(record));
});
