import type { HoldersService } from "../../../gen/keywright/v2alpha1/holders_service_pb.ts";
import type { Implementations } from "../../call/methods.ts";
import { type BatchSelfRevokeOptions, batchSelfRevoke } from "./batch-self-revoke.ts";
import { type SelfInspectRpcOptions, selfInspect } from "./self-inspect.ts";

/** The method implementations of HoldersService, by method. */
export function holderImplementationsOf(options: SelfInspectRpcOptions & BatchSelfRevokeOptions): Implementations<typeof HoldersService> {
  return { selfInspect: selfInspect(options), batchSelfRevoke: batchSelfRevoke(options) };
}
