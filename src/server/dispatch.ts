import type { HttpHandler, HttpRequest } from "../http/message.ts";
import type { Cors } from "./cors.ts";

export interface DispatchOptions {
  /** gRPC, gRPC-Web and Connect. */
  readonly rpc: HttpHandler;
  /** Whether a request is for `rpc`. The path is raw, without the query. */
  readonly isRpc: (path: string, request: HttpRequest) => boolean;
  /** `/health/alive` and `/health/ready`. */
  readonly health: HttpHandler;
  /** JSON/HTTP: everything else, also what is not found. */
  readonly transcoder: HttpHandler;
  /** Undefined if no origins are configured. */
  readonly cors?: Cors | undefined;
}

/** Scheme and authority of a target in absolute form, which a server must take although only proxies get it (RFC 9112, section 3.2.2). */
const absoluteForm = /^https?:\/\/[^/?#]*/i;

/** Selects the handler by the raw path: nothing is decoded or normalised before a route matches. */
export function createDispatcher({ rpc, isRpc, health, transcoder, cors }: DispatchOptions): HttpHandler {
  return (request, response) => {
    let target = request.url ?? "/";
    if (target.charCodeAt(0) !== 0x2f /* / */ && absoluteForm.test(target)) {
      const rest = target.replace(absoluteForm, "");
      target = rest.startsWith("/") ? rest : `/${rest}`;
      request.url = target;
    }
    if (cors?.(request, response)) return;
    const queryStart = target.indexOf("?");
    const path = queryStart < 0 ? target : target.slice(0, queryStart);
    if (isRpc(path, request)) rpc(request, response);
    else if (path === "/health/alive" || path === "/health/ready") health(request, response);
    else transcoder(request, response);
  };
}
