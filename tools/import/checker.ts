import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import { type ImportApiKeyRequest, ImportApiKeyRequestSchema } from "../../gen/keywright/v2alpha1/imported_api_key_pb.ts";
import { rawKeyProblem } from "../../src/core/credential.ts";
import { Failure } from "../../src/error/failure.ts";
import { importFromMessage } from "../../src/rpc/api-keys/create-request.ts";
import { unreadableOf } from "./outcome.ts";
import type { Sender } from "./sender.ts";

/** Replaces the service in a dry run: checks each key against the rules of the contract. It cannot check what only the service knows. */
export function createChecker(): Sender {
  const validator = createValidator();

  const problemOf = (request: ImportApiKeyRequest): string | null => {
    const result = validator.validate(ImportApiKeyRequestSchema, request);
    if (result.kind === "error") throw result.error;
    if (result.kind === "invalid") return result.violations.map(({ field, message }) => `${pathToString(field)}: ${message}`).join("; ");
    try {
      const { key } = importFromMessage(request);
      const problem = "raw" in key ? rawKeyProblem(key.raw) : null;
      return problem === null ? null : `raw_key: ${problem}`;
    } catch (error) {
      if (error instanceof Failure) return error.message;
      throw error;
    }
  };
  return {
    async send(batch) {
      const failed = batch.requests.flatMap((request, index) => {
        const problem = problemOf(request);
        return problem === null ? [] : [{ line: batch.lines[index] as number, reason: "INVALID_ARGUMENT", message: problem }];
      });
      return [...failed, ...unreadableOf(batch)].toSorted((a, b) => a.line - b.line);
    },
    close() {},
  };
}
