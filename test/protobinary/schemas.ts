import type { DescMessage } from "@bufbuild/protobuf";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { Everything } from "../protojson/sample.ts";

/** Every message that a call sends or returns, and one with every kind of field. */
export const schemas: readonly DescMessage[] = [
  ...new Set([Everything, ...ApiKeysService.methods.flatMap(({ input, output }): DescMessage[] => [input, output])]),
];
