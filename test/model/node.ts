import type { RecordReader } from "../../src/cache/record-reader.ts";
import type { ChangeFollower } from "../../src/cache/trusted-cache.ts";
import { type Credentials, digestOf } from "../../src/core/credential.ts";
import type { CacheGenerationStore } from "../../src/ports/cache-generation.ts";
import type { KeyStore } from "../../src/ports/key-store.ts";
import type { RecordCache } from "../../src/ports/record-cache.ts";
import type { KeyService } from "../../src/service/key-service.ts";
import type { TenantDirectory } from "../../src/service/tenants/tenant-directory.ts";
import { noLimits } from "../support/no-limits.ts";
import { noTokens } from "../support/no-tokens.ts";
import type { Host } from "./host.ts";
import type { Link } from "./link.ts";
import type { Protocol } from "./protocol.ts";
import type { Redis } from "./redis.ts";
import type { Scheduler } from "./scheduler.ts";
import { type ConnectedSharedCache, connectSharedCache } from "./shared-cache.ts";
import { connectStore, type StoreState } from "./store.ts";
import { verifyInTenant } from "./tenant.ts";

export const tenant = "default";
export const tickMs = 250;
const identityPatienceMs = 500;

/** One life of a process: the real protocol code over simulated ports. */
export interface Node {
  readonly service: KeyService;
  readonly directory: TenantDirectory;
  readonly verify: ReturnType<Protocol["createVerify"]>;
  /** The same, sometimes in a batch with other keys. */
  readonly verifySomehow: ReturnType<Protocol["createVerify"]>;
  readonly shared: ConnectedSharedCache | null;
  /** How often it asked beyond its own cache for a key. */
  readonly asked: () => number;
  /**
   * True if its own cache has the key within the entry's deadline, it needs no heartbeats because there is no shared cache, and the store
   * answered within the grace period, but not since the verification began. Then the store is lost, and that is no reason to reject. A
   * store that answers slowly, or answers only some questions, is not lost.
   */
  readonly mustAnswer: (keyId: string, begunMs: number) => boolean;
}

export interface NodeOptions {
  readonly protocol: Protocol;
  readonly scheduler: Scheduler;
  readonly host: Host;
  readonly store: StoreState;
  readonly redis: Redis | null;
  readonly links: { readonly store: Link; readonly commands: Link; readonly subscriber: Link };
  readonly skewMs: number;
  readonly cacheTtlMs: number;
  readonly graceMs: number;
  readonly storeTimeoutMs: number;
  readonly onRegress: (keyId: string) => void;
}

const digests = new Map<string, string>();
function digest(text: string): string {
  const known = digests.get(text) ?? digestOf(text);
  digests.set(text, known);
  return known;
}

/** A credential is its key's id, because the model is about caches. */
const credentials: Credentials = {
  mint: (_tenant, keyId) => `issued ${keyId}`,
  parse(_tenant, text) {
    const [kind, keyId = ""] = text.split(" ");
    return kind === "issued" ? { type: "issued", keyIds: [keyId], digest: digest(text) } : { type: "imported", keyIds: [keyId] };
  },
  asImported: () => null,
  damagedKey: () => null,
  importedKeyIds() {
    throw new Error("no digests here");
  },
};

export function startNode(options: NodeOptions): Node {
  const { protocol, scheduler, host, redis, links, graceMs, cacheTtlMs } = options;
  const { life } = host;
  const clock = () => Math.floor(1_000_000 + scheduler.nowMs() + options.skewMs);
  const { keys, generations } = connectStore(options.store, links.store, host, scheduler, options.storeTimeoutMs);
  /** When the last question that the store answered was asked. */
  let answeredSinceMs = Number.NEGATIVE_INFINITY;
  let answeredAtMs = Number.NEGATIVE_INFINITY;
  const watched: CacheGenerationStore = {
    async read() {
      const askedMs = scheduler.nowMs();
      const generation = await generations.read();
      answeredSinceMs = Math.max(answeredSinceMs, askedMs);
      answeredAtMs = scheduler.nowMs();
      return generation;
    },
    async advance(...given) {
      const generation = await generations.advance(...given);
      answeredAtMs = scheduler.nowMs();
      return generation;
    },
  };
  const retentionMs = graceMs + 6000;
  const shared =
    redis === null
      ? null
      : connectSharedCache({ scheduler, redis, host, commandLink: links.commands, subscriberLink: links.subscriber, clock, retentionMs });
  let asked = 0;
  let beats = 0;

  const local = checked(protocol.createMemoryRecordCache({ maxEntries: 4 }), options.onRegress);
  const followers: ChangeFollower[] = [];
  const trust = protocol.createCacheTrust({
    generations: watched,
    shared,
    monotonicMs: scheduler.nowMs,
    leaseMs: 1000,
    graceMs,
    identityPatienceMs,
    generationPaceMs: tickMs,
    schedule: (delayMs, work) => scheduler.after(delayMs, () => host.deliver(life, work)),
    reset() {
      local.clear();
      for (const follower of followers) follower.doubted();
    },
    createBeatId: () => `${host.id}-${life}-${beats++}`,
  });
  const counted: Pick<KeyStore, "get" | "getMany"> = {
    get(...key) {
      asked += 1;
      return keys.get(...key);
    },
    getMany(...batch) {
      asked += 1;
      return keys.getMany(...batch);
    },
  };
  const { reader, announcer, peek } = protocol.createVerifierCache({
    store: protocol.createCurrentStore(counted, trust),
    local,
    shared:
      shared === null
        ? null
        : Object.create(shared, {
            read: {
              value: (...args: Parameters<typeof shared.read>) => {
                asked += 1;
                return shared.read(...args);
              },
            },
          }),
    trust,
    clock,
    monotonicMs: scheduler.nowMs,
    cacheTtlMs,
    negativeCacheTtlMs: 1000,
    graceMs,
    onChange(tenant, keyId) {
      for (const follower of followers) follower.changed(tenant, keyId);
    },
  });

  const settings = protocol.createTenantSettings();
  const cache = { peek, reader, trust, follow: (follower: ChangeFollower) => void followers.push(follower) };
  const directory = protocol.createTenantDirectory({ store: keys, cache, settings, monotonicMs: scheduler.nowMs });

  const tick = () => {
    let due = true;
    const run = () => {
      due = false;
      void trust.tick();
      void directory.catchUp();
    };
    // As with setInterval, ticks missed during a pause are not made up.
    host.deliver(life, run);
    const plan = () => {
      if (host.life !== life) return;
      if (!due) {
        due = true;
        host.deliver(life, run);
      }
      scheduler.after(tickMs, plan);
    };
    scheduler.after(tickMs, plan);
  };
  tick();

  /** Some reads are part of a batch with other keys, and occur twice in it. */
  const readSomehow: RecordReader["read"] = async (tenant, keyId, directive) => {
    if (scheduler.random() < 0.8) return reader.read(tenant, keyId, directive);
    const others = [...options.store.keys.keys()].filter(() => scheduler.random() < 0.5);
    const answers = await reader.readMany(tenant, [...others, keyId, ...others, keyId], directive);
    const answer = answers[others.length];
    if (answer?.status !== "fulfilled") throw answer?.reason;
    return answer.value;
  };

  const usage = { record: () => {} };
  const service = {
    store: { ...keys, audit: { append: async () => {} } },
    announcer,
    credentials,
    tokens: noTokens.tokens,
    clock,
    randomBytes: (length: number) => Uint8Array.from({ length }, () => Math.floor(scheduler.random() * 256)),
    defaultKeyTtlMs: null,
    tenantSettings: settings,
  } as unknown as KeyService;
  const ofTenant = verifyInTenant(protocol, service, directory);
  const verifyOver = (through: RecordReader): Node["verify"] => {
    const verify = protocol.createVerify({ ...noTokens, ...noLimits, credentials, reader: through, usage, clock });
    return (...given) => (given[1].credential.startsWith("tenant ") ? ofTenant : verify)(...given);
  };
  return {
    service,
    directory,
    verify: verifyOver(reader),
    verifySomehow: verifyOver({ ...reader, read: readSomehow }),
    shared,
    asked: () => asked,
    mustAnswer: (keyId, begunMs) =>
      shared === null &&
      answeredAtMs < begunMs &&
      scheduler.nowMs() - answeredSinceMs <= graceMs &&
      local.get(tenant, keyId, clock()) !== undefined,
  };
}

/** Reports if an entry within its deadline is replaced by one with a lower revision. */
function checked(cache: RecordCache, onRegress: (keyId: string) => void): RecordCache {
  return {
    ...cache,
    putIfNewer(tenant, keyId, entry, nowMs) {
      const held = cache.get(tenant, keyId, nowMs);
      cache.putIfNewer(tenant, keyId, entry, nowMs);
      const now = cache.get(tenant, keyId, Number.NEGATIVE_INFINITY);
      if (held !== undefined && now !== undefined && now.revision < held.revision) onRegress(keyId);
    },
  };
}
