import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import { BatchImportApiKeysRequestSchema, ImportApiKeyRequestSchema } from "../../gen/keywright/v2alpha1/imported_api_key_pb.ts";
import { IssueApiKeyRequestSchema } from "../../gen/keywright/v2alpha1/issued_api_key_pb.ts";
import { VerifyApiKeyRequestSchema } from "../../gen/keywright/v2alpha1/verification_pb.ts";
import { checkWire } from "../../src/connect/wire-check.ts";
import { createPatternMatcher } from "../../src/validation/patterns.ts";
import { compileQuickCheck } from "../../src/validation/quick-check.ts";
import { createValidation } from "../../src/validation/violations.ts";
import { report, title } from "./report.ts";

const verify = create(VerifyApiKeyRequestSchema, { credential: "k".repeat(80), requiredScopes: ["orders:read", "orders:write"] });
const scopes = Array.from({ length: 20 }, (_, index) => `orders:${index}:read`);
const issue = create(IssueApiKeyRequestSchema, { name: "a key", actorId: "customer-17", scopes });
const item = { rawKey: "k".repeat(40), name: "a key", actorId: "customer-17", scopes: ["orders:read"] };
const items = Array.from({ length: 1000 }, () => create(ImportApiKeyRequestSchema, item));
const records = 5000;
/** 512 items of two bytes, the maximum that fits. */
const emptyItems = Uint8Array.from({ length: 1024 }, (_, at) => (at % 2 === 0 ? 0x0a : 0));

export async function measureValidation(): Promise<void> {
  title("validation");
  const native = createValidator({ regexMatch: createPatternMatcher() });
  const startMs = performance.now();
  native.validate(IssueApiKeyRequestSchema, issue);
  console.info(
    `${"first validation of a message (validator.ts)".padEnd(66)} ${((performance.now() - startMs) * 1000).toFixed(2).padStart(10)} us`,
  );
  const isSurelyValid = compileQuickCheck(VerifyApiKeyRequestSchema);
  report("protovalidate on a verification", 50_000, () => native.validate(VerifyApiKeyRequestSchema, verify));
  report("quick check of a verification (quick-check.ts)", 200_000, () => isSurelyValid(verify));
  const re2 = createValidator();
  report("20 scopes, patterns by the RE2 of protovalidate", 2000, () => re2.validate(IssueApiKeyRequestSchema, issue));
  report("20 scopes, patterns by the platform (patterns.ts)", 2000, () => native.validate(IssueApiKeyRequestSchema, issue));
  const { violationsOf, warmUp } = createValidation();
  await warmUp([ImportApiKeyRequestSchema]);
  report("1000 imports (batch-import-api-keys.ts)", 5, () => items.map((request) => violationsOf(ImportApiKeyRequestSchema, request)));

  title(`a binary message of ${records} records`);
  const binary = toBinary(BatchImportApiKeysRequestSchema, create(BatchImportApiKeysRequestSchema, { requests: items }));
  report("decoded", 20, () => fromBinary(BatchImportApiKeysRequestSchema, binary));
  report("checked (wire-check.ts)", 100, () => checkWire(BatchImportApiKeysRequestSchema, binary, binary.length));
  report("1024 bytes of empty items, decoded", 500, () => fromBinary(BatchImportApiKeysRequestSchema, emptyItems));
}
