import type { HttpHandler, HttpRequest } from "../http/message.ts";
import { targetOf } from "../http/target.ts";
import type { Cors } from "./cors.ts";

export interface DispatchOptions {
  /** gRPC, gRPC-Web and Connect. */
  readonly rpc: HttpHandler;
  /** Returns whether a request is for `rpc`. The path is raw, without the query. */
  readonly isRpc: (path: string, request: HttpRequest) => boolean;
  /** `/health/alive` and `/health/ready`. */
  readonly health: HttpHandler;
  /** Handlers of other protocols, by path. */
  readonly rooms?: ReadonlyMap<string, HttpHandler>;
  /** Checked before everything else, because requests that end users send through a gateway may look like a call or a preflight. */
  readonly gateways?: { readonly isFor: (path: string) => boolean; readonly handler: HttpHandler };
  /** JSON/HTTP. Handles everything else, including unknown paths. */
  readonly transcoder: HttpHandler;
  /** Undefined if no origins are configured. */
  readonly cors?: Cors | undefined;
}

/** Picks the handler of a request by the raw path. */
export function createDispatcher({ rpc, isRpc, health, rooms, gateways, transcoder, cors }: DispatchOptions): HttpHandler {
  return (request, response) => {
    const { path } = targetOf(request);
    if (gateways?.isFor(path)) {
      gateways.handler(request, response);
      return;
    }
    if (cors?.(request, response)) return;
    if (isRpc(path, request)) rpc(request, response);
    else if (path === "/health/alive" || path === "/health/ready") health(request, response);
    else (rooms?.get(path) ?? transcoder)(request, response);
  };
}
