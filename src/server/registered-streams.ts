import type { DescMethod } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";

/** Methods with streams that Connect serves. */
export interface RegisteredStreams {
  readonly methods: readonly DescMethod[];
  /** Called before the first call of one of them. */
  readonly register: (router: ConnectRouter) => void | Promise<void>;
}
