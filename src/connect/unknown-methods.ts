import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { createConnectRouter } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { isUnary, type MethodTable } from "../call/methods.ts";
import type { Codec } from "./codec.ts";
import { refuseFailed } from "./exchange.ts";

/**
 * Handlers for methods that do not exist, so that Connect answers UNIMPLEMENTED in the caller's protocol: two variants of a method of
 * the table, never called, one unary and one of streams, because Connect's content types tell these apart.
 */
export function createUnknownMethods(methods: MethodTable): (codec: Codec) => UniversalHandler {
  const method = [...methods.keys()].find(isUnary);
  if (method === undefined) throw new Error("there are no methods to serve");
  const neverCalled = (): never => {
    throw new Error("a method that does not exist was called");
  };
  const { handlers } = createConnectRouter({ requestGate: refuseFailed })
    .rpc({ ...method, idempotency: MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS }, neverCalled)
    .rpc({ ...method, methodKind: "server_streaming" }, neverCalled);
  const [unary, streaming] = handlers as [UniversalHandler, UniversalHandler];
  return ({ protocol, enveloped }) => (protocol === "connect" && enveloped ? streaming : unary);
}
