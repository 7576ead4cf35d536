import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { createConnectRouter } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { Health } from "../../gen/grpc/health/v1/health_pb.ts";
import type { Codec } from "./codec.ts";
import { refuseFailed } from "./exchange.ts";

/**
 * Handlers for methods that do not exist, so that Connect answers UNIMPLEMENTED in the caller's protocol: two methods that are never
 * called, one unary and one of streams, because Connect's content types tell these apart.
 */
export function createUnknownMethods(): (codec: Codec) => UniversalHandler {
  const neverCalled = (): never => {
    throw new Error("a method that does not exist was called");
  };
  const idempotency: DescMethod["idempotency"] = MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
  const { handlers } = createConnectRouter({ requestGate: refuseFailed })
    .rpc({ ...Health.method.check, idempotency }, neverCalled)
    .rpc(Health.method.watch, neverCalled);
  const [unary, streaming] = handlers as [UniversalHandler, UniversalHandler];
  return ({ protocol, enveloped }) => (protocol === "connect" && enveloped ? streaming : unary);
}
