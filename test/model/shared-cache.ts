import type { SharedCache, SharedCacheListener } from "../../src/ports/shared-cache.ts";
import type { Host } from "./host.ts";
import type { Lane, Link } from "./link.ts";
import type { Redis } from "./redis.ts";
import type { Message, RedisServer } from "./redis-server.ts";
import type { Scheduler } from "./scheduler.ts";

const timeoutMs = 100;
const connectTimeoutMs = 1000;

export interface SharedCacheOptions {
  readonly scheduler: Scheduler;
  readonly redis: Redis;
  readonly host: Host;
  readonly commandLink: Link;
  readonly subscriberLink: Link;
  readonly clock: () => number;
  /** How long an entry is kept beyond its deadline. */
  readonly retentionMs: number;
}

export interface ConnectedSharedCache extends SharedCache {
  /** Breaks the connections over this link. */
  breakConnections(link: Link): void;
}

interface Connection {
  readonly server: RedisServer;
  readonly link: Link;
  readonly up: Lane;
  readonly down: Lane;
  isOpen: boolean;
}

/** The shared cache as one process sees it: one connection for commands and one for messages, with independent faults. */
export function connectSharedCache(options: SharedCacheOptions): ConnectedSharedCache {
  const { scheduler, redis, host, commandLink, subscriberLink, clock, retentionMs } = options;
  const { life } = host;
  let listener: SharedCacheListener | null = null;
  const current = new Map<Link, Connection>();

  /** Nothing arrives on it any more; the process notices a moment later. */
  const close = (connection: Connection) => {
    if (!connection.isOpen) return;
    connection.isOpen = false;
    scheduler.after(scheduler.between(0, 3), () =>
      host.deliver(life, () => {
        if (current.get(connection.link) === connection) current.delete(connection.link);
        retry(connection.link);
      }),
    );
  };
  const retry = (link: Link) => {
    scheduler.after(scheduler.between(20, 300), () => host.deliver(life, () => connect(link)));
  };

  const send = (connection: Connection, command: (server: RedisServer) => () => void) => {
    const lost = () => close(connection);
    connection.link.carry(
      () => {
        const work = () => {
          const answered = command(connection.server);
          connection.link.carry(() => connection.isOpen && host.deliver(life, answered), lost, connection.down);
        };
        if (connection.isOpen) connection.server.run(work, lost);
      },
      lost,
      connection.up,
    );
  };

  const hear = (connection: Connection, message: Message) => {
    const pass = () => {
      if (message.kind === "change") listener?.onChange(message.tenant, message.keyId, message.revision);
      else listener?.onBeat(message.beatId, connection.server.cacheId);
    };
    const arrive = () => connection.isOpen && host.deliver(life, pass);
    connection.link.carry(arrive, () => close(connection), connection.down);
  };

  const connect = (link: Link) => {
    const lane = () => ({ lastMs: 0 });
    const connection: Connection = { server: redis.serverOf(host.id), link, up: lane(), down: lane(), isOpen: true };
    let isUp = false;
    // A dead server is noticed at once, or after a time without messages.
    connection.server.onDeath(() => scheduler.after(scheduler.chance(0.6) ? 1 : scheduler.between(1, 1500), () => close(connection)));
    scheduler.after(connectTimeoutMs, () => isUp || close(connection));
    send(connection, (server) => {
      if (link === subscriberLink) {
        const leave = server.subscribe((message) => {
          if (connection.isOpen && host.life === life) hear(connection, message);
          else leave();
        });
      }
      return () => {
        if (!connection.isOpen) return;
        isUp = true;
        current.set(link, connection);
        if (link === subscriberLink) listener?.onGap();
      };
    });
  };

  /** Returns null if no answer arrives in time. */
  const ask = <T>(command: (server: RedisServer) => T): Promise<{ readonly cacheId: string; readonly result: T } | null> => {
    const connection = current.get(commandLink);
    if (connection === undefined) return Promise.resolve(null);
    return new Promise((resolve) => {
      let isAnswered = false;
      scheduler.after(timeoutMs, () => isAnswered || host.deliver(life, () => resolve(null)));
      send(connection, (server) => {
        const result = command(server);
        return () => {
          isAnswered = true;
          resolve({ cacheId: server.cacheId, result });
        };
      });
    });
  };

  const name = (generation: number, keyId: string) => `${generation}/${keyId}`;
  const lifeMs = (deadlineMs: number) => (deadlineMs <= clock() ? 0 : deadlineMs + retentionMs - clock());

  connect(commandLink);
  connect(subscriberLink);

  return {
    get cacheId() {
      return current.get(commandLink)?.server.cacheId ?? null;
    },
    async read(generation, _tenant, keyIds) {
      const answer = await ask((server) => keyIds.map((keyId) => server.get(name(generation, keyId))));
      return answer === null ? null : { cacheId: answer.cacheId, entries: answer.result };
    },
    fill(generation, _tenant, keyId, entry) {
      const life = lifeMs(entry.deadlineMs);
      if (life > 0) void ask((server) => server.put(name(generation, keyId), entry, life));
    },
    async announce(generation, tenant, changes) {
      const lives = changes.map(([, { deadlineMs }]) => lifeMs(deadlineMs));
      const answer = await ask((server) => {
        for (const [index, [keyId, entry]] of changes.entries()) {
          server.put(name(generation, keyId), entry, lives[index] as number);
          server.publish({ kind: "change", tenant, keyId, revision: entry.revision });
        }
      });
      return answer?.cacheId ?? null;
    },
    beat(beatId) {
      void ask((server) => server.publish({ kind: "beat", beatId }));
    },
    subscribe(to) {
      listener = to;
    },
    close: async () => {},
    breakConnections(link) {
      const connection = current.get(link);
      if (connection !== undefined) close(connection);
    },
  };
}
