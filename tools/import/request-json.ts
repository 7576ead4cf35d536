import { type ImportApiKeyRequest, ImportApiKeyRequestSchema } from "../../gen/keywright/v2alpha1/imported_api_key_pb.ts";
import { Failure } from "../../src/error/failure.ts";
import { createJsonReader } from "../../src/protojson/read.ts";
import type { Row } from "./rows.ts";

const reader = createJsonReader({ unknownFields: "reject", presenceMasks: new Map() });

/** Reads an ImportApiKeyRequest from JSON as the service does: in both casings, with durations in short form such as `30d`. */
export function contentFromJson(json: unknown): Row["content"] {
  try {
    const request: ImportApiKeyRequest = reader.read(ImportApiKeyRequestSchema, json);
    return { request };
  } catch (error) {
    if (error instanceof Failure) return { problem: error.message };
    throw error;
  }
}
