import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { HttpHandler } from "../http/message.ts";
import { createIntrospection, type IntrospectionOptions, introspectionPath } from "../introspection/introspect.ts";

/** Options of every HTTP protocol. */
export type ServedOptions = Omit<IntrospectionOptions, "method">;

/** The handlers beside the API, by path. Only this file names them. */
export function createRooms(served: ServedOptions): ReadonlyMap<string, HttpHandler> {
  return new Map([[introspectionPath, createIntrospection({ ...served, method: ApiKeysService.method.adminVerifyApiKey })]]);
}
