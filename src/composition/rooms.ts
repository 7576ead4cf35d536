import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { HttpHandler } from "../http/message.ts";
import { createIntrospection, type IntrospectionOptions, introspectionPath } from "../introspection/introspect.ts";
import { createSite, type SiteOptions } from "../site/site.ts";

/** Options of every HTTP protocol. */
export type ServedOptions = Omit<IntrospectionOptions, "method">;

/** The handlers beside the API, by path. Only this file names them. */
export function createRooms(served: ServedOptions, site: SiteOptions): ReadonlyMap<string, HttpHandler> {
  const introspection = createIntrospection({ ...served, method: ApiKeysService.method.adminVerifyApiKey });
  return new Map([...createSite(site), [introspectionPath, introspection]]);
}
