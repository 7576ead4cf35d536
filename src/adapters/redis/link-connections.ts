import { type ConnectionOptions, openConnection } from "./connection.ts";
import { UnusableServerError } from "./failures.ts";
import type { ScriptedRedis } from "./scripts.ts";
import type { RedisAddress } from "./uri.ts";

export interface Node {
  readonly address: RedisAddress;
  readonly client: ScriptedRedis;
}

export interface LinkListener {
  readonly onMessage: (message: string) => void;
  /** Called at most once, when the link must no longer be used. The caller must still close the link. */
  readonly onLost: (reason: unknown) => void;
}

/** The connections of one link, which are lost together. */
export interface LinkConnections {
  open(address: RedisAddress): Promise<Node>;
  readonly isLost: boolean;
  lose(reason: unknown): void;
  /** Passes a message on. Those before `attach` are dropped. */
  pass(message: string): void;
  /** Call it once. */
  attach(listener: LinkListener): void;
  close(): void;
}

export function createLinkConnections(options: ConnectionOptions): LinkConnections {
  const clients: ScriptedRedis[] = [];
  let listener: LinkListener | null = null;
  let lost: { readonly reason: unknown } | null = null;
  const lose = (reason: unknown) => {
    if (lost !== null) return;
    lost = { reason };
    listener?.onLost(reason);
  };
  return {
    async open(address) {
      const client = await openConnection(address, options);
      clients.push(client);
      client.once("close", () => lose(new UnusableServerError("a connection was closed")));
      return { address, client };
    },
    get isLost() {
      return lost !== null;
    },
    lose,
    pass: (message) => listener?.onMessage(message),
    attach(to) {
      listener = to;
      if (lost !== null) to.onLost(lost.reason);
    },
    close() {
      lost ??= { reason: new UnusableServerError("the link was closed") };
      for (const client of clients) client.disconnect();
    },
  };
}
