import type { DescMethod } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";

/** Methods with streams that Connect serves. */
export interface RegisteredStreams {
  readonly methods: readonly DescMethod[];
  /** Called when the first of them is. */
  readonly register: (router: ConnectRouter) => void | Promise<void>;
}
