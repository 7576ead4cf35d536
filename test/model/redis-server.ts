import type { CacheEntry } from "../../src/ports/record-cache.ts";
import type { Scheduler } from "./scheduler.ts";

export type Message =
  | { readonly kind: "change"; readonly tenant: string; readonly keyId: string; readonly revision: number }
  | { readonly kind: "beat"; readonly beatId: string };

interface Held {
  readonly entry: CacheEntry;
  readonly goneMs: number;
}

export type Data = ReadonlyMap<string, Held>;

/** One run of a cache server. A restart creates another one with another id. */
export interface RedisServer {
  readonly cacheId: string;
  /** Runs a command, later if the server hangs; runs `lost` if it is dead. */
  run(command: () => void, lost: () => void): void;
  get(key: string): CacheEntry | undefined;
  put(key: string, entry: CacheEntry, lifeMs: number): void;
  publish(message: Message): void;
  /** Returns a function that unsubscribes. */
  subscribe(hear: (message: Message) => void): () => void;
  /** Runs `closed` when the server dies. */
  onDeath(closed: () => void): void;
  hang(): void;
  goOn(): void;
  die(): void;
  snapshot(): Data;
}

export interface RedisServerOptions {
  readonly data?: Data;
  /** False: the mutant that overwrites anything. */
  readonly putsIfNewer: boolean;
  /** Called if an entry replaces one with a higher revision. */
  readonly onRegress: (key: string) => void;
}

export function createRedisServer({ nowMs }: Scheduler, cacheId: string, options: RedisServerOptions): RedisServer {
  const data = new Map(options.data);
  const listeners = new Set<(message: Message) => void>();
  const onDeath: (() => void)[] = [];
  let waiting: { readonly command: () => void; readonly lost: () => void }[] | null = null;
  let isDead = false;

  const held = (key: string): CacheEntry | undefined => {
    const found = data.get(key);
    return found !== undefined && nowMs() < found.goneMs ? found.entry : undefined;
  };

  return {
    cacheId,
    run(command, lost) {
      if (isDead) lost();
      else if (waiting !== null) waiting.push({ command, lost });
      else command();
    },
    get: held,
    put(key, entry, lifeMs) {
      const present = held(key);
      const isNewer =
        present === undefined ||
        entry.revision > present.revision ||
        (entry.revision === present.revision && entry.deadlineMs > present.deadlineMs);
      if (!isNewer && options.putsIfNewer) return;
      if (present !== undefined && present.revision > entry.revision) options.onRegress(key);
      if (lifeMs <= 0) data.delete(key);
      else data.set(key, { entry, goneMs: nowMs() + lifeMs });
    },
    publish(message) {
      for (const hear of listeners) hear(message);
    },
    subscribe(hear) {
      listeners.add(hear);
      return () => listeners.delete(hear);
    },
    onDeath: (closed) => void onDeath.push(closed),
    hang() {
      waiting ??= [];
    },
    goOn() {
      const commands = waiting ?? [];
      waiting = null;
      for (const { command } of commands) command();
    },
    die() {
      isDead = true;
      listeners.clear();
      for (const { lost } of waiting ?? []) lost();
      waiting = null;
      for (const closed of onDeath) closed();
    },
    snapshot: () => new Map(data),
  };
}
