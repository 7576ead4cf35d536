import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { VerifyApiKeyRequestSchema, VerifyApiKeyResponseSchema } from "../../gen/keywright/v2alpha1/verification_pb.ts";
import { createBinaryReader } from "../../src/protobinary/read.ts";
import { createBinaryWriter } from "../../src/protobinary/write.ts";
import { report, title } from "./report.ts";

const request = Buffer.from(
  toBinary(
    VerifyApiKeyRequestSchema,
    create(VerifyApiKeyRequestSchema, {
      credential: "kw_v1_01JD3V9Q4N8R5X2T7B6C1A0ZYK_0123456789abcdefghijklmnopqrstuv0123456789aXYZabc",
      requiredScopes: ["orders:read"],
    }),
  ),
);
const response = create(VerifyApiKeyResponseSchema, {
  isValid: true,
  keyId: "01JD3V9Q4N8R5X2T7B6C1A0ZYK",
  actorId: "customer-17",
  scopes: ["orders:read", "orders:write"],
  metadata: { team: "billing" },
  expireTime: timestampFromMs(Date.UTC(2026, 10, 28, 12, 30, 15)),
});

export function measureBinary(): void {
  title(`protobinary: a verify request of ${request.length} bytes, and its answer`);
  const read = createBinaryReader({ readUnknownFields: false });
  report("fromBinary of protobuf-es", 100_000, () => fromBinary(VerifyApiKeyRequestSchema, request, { readUnknownFields: false }));
  report("binary reader (read.ts)", 100_000, () => read(VerifyApiKeyRequestSchema, request));
  const writer = createBinaryWriter();
  report("toBinary of protobuf-es", 100_000, () => toBinary(VerifyApiKeyResponseSchema, response));
  report("binary writer (write.ts)", 100_000, () => writer.write(VerifyApiKeyResponseSchema, response, 5));
}
