import type { DescMessage, DescMethod } from "@bufbuild/protobuf";
import type { Interceptor } from "../../call/call.ts";

/** Forbids caches to keep an answer that can hold a secret (RFC 9111). The contract marks those fields with `debug_redact`. */
export function noStore(methods: readonly DescMethod[]): Interceptor {
  const secretive = new Set(methods.filter(({ output }) => holdsSecret(output, new Set())));
  return (next) => (request, call) => {
    if (secretive.has(call.method)) call.setResponseHeader("cache-control", "no-store");
    return next(request, call);
  };
}

function holdsSecret(schema: DescMessage, seen: Set<DescMessage>): boolean {
  if (seen.has(schema)) return false;
  seen.add(schema);
  return schema.fields.some(
    (field) => field.proto.options?.debugRedact === true || (field.message !== undefined && holdsSecret(field.message, seen)),
  );
}
