import type { Redis } from "ioredis";
import { type ConnectionOptions, openConnection } from "./connection.ts";
import { UnusableServerError } from "./failures.ts";
import { withTimeout } from "./timeout.ts";
import type { RedisAddress } from "./uri.ts";

export interface Sentinels {
  /** Returns the address of the master, from the first sentinel that answers. Rejects with UnusableServerError if none does. */
  master(): Promise<RedisAddress>;
  close(): void;
}

/** Keeps a connection to one of the sentinels while it answers, then tries the next. `timeoutMs` applies to each question. */
export function createSentinels(
  seeds: readonly RedisAddress[],
  masterName: string,
  options: ConnectionOptions,
  timeoutMs: number,
): Sentinels {
  let opened: Promise<Redis> | null = null;
  let turn = 0;

  const drop = () => {
    opened?.then(
      (client) => client.disconnect(),
      () => {},
    );
    opened = null;
    turn += 1;
  };

  const ask = async (): Promise<RedisAddress> => {
    opened ??= openConnection(seeds[turn % seeds.length] as RedisAddress, options);
    const client = await opened;
    const answer = await withTimeout(timeoutMs, client.call("SENTINEL", "get-master-addr-by-name", masterName));
    if (!Array.isArray(answer) || answer.length !== 2) throw new UnusableServerError("a sentinel does not know the master's name");
    return { host: String(answer[0]), port: Number(answer[1]) };
  };

  return {
    async master() {
      // One more try than there are sentinels, because the kept connection may have been closed since.
      for (let tries = 0; tries <= seeds.length; tries += 1) {
        try {
          return await ask();
        } catch {
          drop();
        }
      }
      throw new UnusableServerError("no sentinel knows the master");
    },
    close: drop,
  };
}
