import { create, fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { VerifyApiKeyRequestSchema, VerifyApiKeyResponseSchema } from "../../gen/keywright/v2alpha1/verification_pb.ts";
import { parseJson } from "../../src/protojson/parse-json.ts";
import { createJsonReader } from "../../src/protojson/read.ts";
import { timestampText } from "../../src/protojson/timestamp.ts";
import { writeJson } from "../../src/protojson/write.ts";
import { report, title } from "./report.ts";

const request = {
  credential: "kw_v1_01JD3V9Q4N8R5X2T7B6C1A0ZYK_0123456789abcdefghijklmnopqrstuv0123456789aXYZabc",
  client_ip: "198.51.100.7",
  required_scopes: ["orders:read", "orders:write"],
  cost: 1,
};
const body = Buffer.from(JSON.stringify(request));
const emptyArrays = Buffer.from(`[${"[],".repeat(999_999)}[]]`);
const maxValues = 16_384;
const time = timestampFromMs(Date.UTC(2026, 10, 28, 12, 30, 15));
const response = create(VerifyApiKeyResponseSchema, {
  isValid: true,
  keyId: "01JD3V9Q4N8R5X2T7B6C1A0ZYK",
  actorId: "customer-17",
  scopes: ["orders:read", "orders:write"],
  expireTime: time,
});

export function measureJson(): void {
  title(`protojson: a verify body of ${body.length} bytes, and its answer`);
  report("JSON.parse alone", 100_000, () => JSON.parse(body.toString("utf8")));
  report("parseJson (scan-json.ts)", 100_000, () => parseJson(body, { maxValues }));
  report("JSON.parse of a million empty arrays", 3, () => JSON.parse(emptyArrays.toString("utf8")));
  report("parseJson refuses a million empty arrays", 30, refuse);
  const reader = createJsonReader({ unknownFields: "reject", presenceMasks: new Map() });
  report("fromJson of protobuf-es", 50_000, () => fromJson(VerifyApiKeyRequestSchema, request as JsonValue));
  report("JSON reader, plain values (read-plain.ts)", 50_000, () => reader.read(VerifyApiKeyRequestSchema, request));
  report("JSON reader, other values (rewrite.ts)", 50_000, () => reader.read(VerifyApiKeyRequestSchema, { ...request, audience: null }));
  report("toJson of protobuf-es and JSON.stringify", 50_000, () => JSON.stringify(toJson(VerifyApiKeyResponseSchema, response)));
  report("writeJson (write.ts)", 50_000, () => writeJson(VerifyApiKeyResponseSchema, response));
  report("timestamp through Date", 200_000, () => dateText(time));
  report("timestampText (timestamp.ts)", 200_000, () => timestampText(Number(time.seconds), time.nanos));
}

function refuse(): unknown {
  try {
    return parseJson(emptyArrays, { maxValues });
  } catch (error) {
    return error;
  }
}

function dateText(timestamp: Timestamp): string {
  return timestampDate(timestamp).toISOString().replace(".000Z", "Z");
}
