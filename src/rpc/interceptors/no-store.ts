import type { DescMethod } from "@bufbuild/protobuf";
import type { Interceptor } from "../../call/call.ts";

/** Forbids caches to store a response that can hold a secret (RFC 9111). */
export function noStore(hasSecret: (method: DescMethod) => boolean): Interceptor {
  return (next) => (request, call) => {
    if (hasSecret(call.method)) call.setResponseHeader("cache-control", "no-store");
    return next(request, call);
  };
}
