import type { CacheGeneration, CacheGenerationStore } from "../ports/cache-generation.ts";
import type { SharedCache } from "../ports/shared-cache.ts";
import { beatIdOf, generationOfBeat } from "./beat.ts";

/**
 * How far caches may be trusted at a moment:
 * - `leased`: the generation was read from the store a moment ago, so whatever happened to the shared cache before is known;
 * - `grace`: the store has left several questions unanswered since then, and the outage setting allows cached records for a while;
 * - `none`: not at all; ask the store.
 */
export type TrustMode = "leased" | "grace" | "none";

/** When in-process entries may be served: before anything else is asked, only if the shared cache cannot answer, or not at all. */
export type LocalUse = "first" | "last" | "never";

/** The server of the shared cache that accepted a change, and the generation under which it did. */
export interface Announced {
  readonly cacheId: string;
  readonly generation: number;
}

export interface CacheTrust {
  mode(): TrustMode;
  localUse(): LocalUse;
  /** The generation that this process knows, if it began with the shared cache `cacheId`; else null. */
  generationOf(cacheId: string | null): number | null;
  /** Counts everything that puts older knowledge in doubt. What was read at another epoch must not be kept. */
  readonly epoch: number;
  /**
   * Called after the store acknowledged a change; null if it is not certain that a server of the shared cache accepted it. Resolves once no
   * process can trust the old state beyond the bound. Rejects if the store cannot be asked; the bound then begins when it can be again,
   * since the change is there although it was not announced.
   */
  settle(announced: Announced | null): Promise<void>;
  /**
   * Resolves if the store has confirmed within the lease before this call, or confirms now, that it is in force. Rejects with the store's
   * error if it cannot, and immediately if at least three ticks have found that it cannot. What the store returns after that is at most one
   * lease old, and only for a short time.
   */
  confirm(): Promise<void>;
  /**
   * A reader waits for this after a failure of the store, before it asks the caches once more. Resolves once the meaning of the failure is
   * known: either the store is lost, so that `grace` may apply, or it has answered a later question. That takes six ticks at most, and no
   * time if the store is known to be lost or nothing is served without it.
   */
  judgeOutage(): Promise<void>;
  /** Passes on what the shared cache said (SharedCacheListener). */
  onBeat(beatId: string, cacheId: string): void;
  onGap(): void;
  /** Reads the generation and sends a heartbeat. Call every 250 ms. Never rejects. */
  tick(): Promise<void>;
}

export interface CacheTrustOptions {
  readonly generations: CacheGenerationStore;
  /** Null if processes share no cache; every change then begins a generation. */
  readonly shared: SharedCache | null;
  /** Milliseconds of a clock that never goes back and runs at the speed of real time. */
  readonly monotonicMs: () => number;
  /** How long a generation is valid after it was asked for, and a heartbeat after it was sent. */
  readonly leaseMs: number;
  /** How long entries are served without the store; 0 means not beyond the lease. */
  readonly graceMs: number;
  /** How long the generation must name another server of the shared cache before this process begins a new one for its own. */
  readonly identityPatienceMs: number;
  /** Drops every in-process entry. Called before the epoch's new number shows. */
  readonly reset: () => void;
  /** Unique among all processes and times. Contains no colon. */
  readonly createBeatId: () => string;
}

/**
 * The store counts as lost this many ticks after the last answered question. Time alone would say so too after this process stood
 * still for a while, when the answer is there and has only to be read.
 */
const ticksUntilLost = 3;
/** By then a lease is over too, in which the store answered last. */
const maxJudgementTicks = 6;

/**
 * The rules ("The verifier cache" in ARCHITECTURE.md) by which a process decides whether a cache may still be trusted. It requires two
 * proofs, each good for one lease from the moment it was *asked for*, so that a slow answer does not prove too much:
 *
 * 1. The generation, read from the store. A process that could not announce a change through the shared cache begins a new generation
 * before it
 *    acknowledges the change, and so does a process that finds that the shared cache restarted. A process that cannot read the generation is in doubt.
 * 2. A heartbeat through the shared cache. Messages come in order, so a heartbeat that came round proves that every change
 *    published before it has been heard. Only in-process entries need this; the shared cache itself holds what was announced.
 *
 * A process cut off from the store cannot read the generation, but hears of a new one by the heartbeats of the others, which are sent under
 * it before anything else is: otherwise it would go on asking the shared cache for entries that nobody keeps up to date any more.
 */
export function createCacheTrust(options: CacheTrustOptions): CacheTrust {
  const { generations, shared, monotonicMs, leaseMs, graceMs, identityPatienceMs, reset, createBeatId } = options;
  let known: CacheGeneration | null = null;
  let knownSinceMs = Number.NEGATIVE_INFINITY;
  let provenSinceMs = Number.NEGATIVE_INFINITY;
  let foreignSinceMs: number | null = null;
  let answeredSinceMs = Number.NEGATIVE_INFINITY;
  let confirming: Promise<unknown> | null = null;
  /** The error of the last question to the store, unless a later question was answered. */
  let outage: { readonly error: unknown } | null = null;
  /** True after a change that could not be announced. */
  let owesGeneration = false;
  let ticks = 0;
  let answeredTick = 0;
  /** Readers that wait after a failure of the store, with the tick of the failure. */
  let judgements: { readonly sinceTick: number; readonly resolve: () => void }[] = [];
  let epoch = 0;
  const beats = new Map<string, number>();

  const doubt = () => {
    provenSinceMs = Number.NEGATIVE_INFINITY;
    reset();
    epoch += 1;
  };

  /** Returns true if that is a newer one. */
  const moveTo = (generation: CacheGeneration): boolean => {
    if (known !== null && generation.number <= known.number) return false;
    known = generation;
    doubt();
    return true;
  };

  /** Asks the store. The answer counts as the state at the moment of the question. */
  const ask = async (question: () => Promise<CacheGeneration>): Promise<CacheGeneration> => {
    const askedMs = monotonicMs();
    const askedTick = ticks;
    const generation = await question().catch((error: unknown) => {
      if (askedTick > answeredTick) outage = { error };
      throw error;
    });
    outage = null;
    answeredTick = Math.max(answeredTick, askedTick);
    answeredSinceMs = Math.max(answeredSinceMs, askedMs);
    const isNew = moveTo(generation);
    if (generation.number === known?.number) knownSinceMs = Math.max(knownSinceMs, askedMs);
    if (isNew) beat();
    settleJudgements();
    return generation;
  };
  const read = () => ask(() => generations.read());
  const advance = (from: number, cacheId: string) => ask(() => generations.advance(from, cacheId));

  const isStoreLost = () => ticks - answeredTick >= ticksUntilLost;

  /** The store is lost, and its last answer is older than the lease. */
  const isGone = () => isStoreLost() && monotonicMs() - knownSinceMs > leaseMs;

  const settleJudgements = () => {
    const isJudged = ({ sinceTick }: (typeof judgements)[number]) =>
      isGone() || answeredTick > sinceTick || ticks - sinceTick >= maxJudgementTicks;
    const judged = judgements.filter(isJudged);
    if (judged.length === 0) return;
    judgements = judgements.filter((judgement) => !isJudged(judgement));
    for (const { resolve } of judged) resolve();
  };

  const modeAt = (nowMs: number): TrustMode => {
    if (known === null) return "none";
    const ageMs = nowMs - knownSinceMs;
    if (ageMs <= leaseMs) return "leased";
    return ageMs <= graceMs && isStoreLost() ? "grace" : "none";
  };

  /** A shared cache that is not the generation's own may have lost writes; one that stays that way needs a generation of its own. */
  const adoptSharedCache = async (): Promise<void> => {
    const cacheId = shared?.cacheId ?? null;
    if (known === null || cacheId === null || known.cacheId === cacheId) {
      foreignSinceMs = null;
      return;
    }
    foreignSinceMs ??= monotonicMs();
    if (known.cacheId !== "" && monotonicMs() - foreignSinceMs < identityPatienceMs) return;
    foreignSinceMs = null;
    await advance(known.number, cacheId);
  };

  const beat = () => {
    if (known === null || shared === null || shared.cacheId === null) return;
    const nowMs = monotonicMs();
    for (const [beatId, sentMs] of beats) if (nowMs - sentMs > leaseMs) beats.delete(beatId);
    const beatId = beatIdOf(known, createBeatId());
    beats.set(beatId, nowMs);
    shared.beat(beatId);
  };

  const settle: CacheTrust["settle"] = async (announced) => {
    if (announced === null) owesGeneration = false;
    try {
      const current = await read();
      if (announced === null || announced.generation !== current.number || announced.cacheId !== current.cacheId) {
        await advance(current.number, current.cacheId);
      }
    } catch (error) {
      owesGeneration = true;
      throw error;
    }
  };

  return {
    mode: () => modeAt(monotonicMs()),

    localUse() {
      const nowMs = monotonicMs();
      const mode = modeAt(nowMs);
      if (mode === "none") return "never";
      const proofAgeMs = shared === null ? 0 : nowMs - provenSinceMs;
      if (proofAgeMs <= leaseMs) return "first";
      // Counted from the proof, so that a change that the shared cache took is out of here one grace later at the latest.
      return mode === "grace" && proofAgeMs <= graceMs ? "last" : "never";
    },

    generationOf(cacheId) {
      return known !== null && cacheId !== null && cacheId === known.cacheId ? known.number : null;
    },

    get epoch() {
      return epoch;
    },

    settle,

    async confirm() {
      const neededMs = monotonicMs() - leaseMs;
      // All waiting callers share one question. It may have begun too early for this caller; the next one has not.
      while (answeredSinceMs < neededMs) {
        if (outage !== null && isStoreLost()) throw outage.error;
        confirming ??= read().finally(() => {
          confirming = null;
        });
        await confirming;
      }
    },

    judgeOutage() {
      if (graceMs === 0 || known === null || isGone()) return Promise.resolve();
      return new Promise((resolve) => judgements.push({ sinceTick: ticks, resolve }));
    },

    onBeat(beatId, cacheId) {
      const heard = generationOfBeat(beatId);
      // Before the first answer of the store there is nothing to doubt.
      if (heard !== null && known !== null) moveTo(heard);
      const sentMs = beats.get(beatId);
      if (sentMs === undefined) return;
      beats.delete(beatId);
      if (cacheId === known?.cacheId) provenSinceMs = Math.max(provenSinceMs, sentMs);
    },

    onGap: doubt,

    async tick() {
      beat();
      ticks += 1;
      settleJudgements();
      try {
        await read();
        if (owesGeneration) await settle(null);
        await adoptSharedCache();
      } catch {
        // The lease ends by itself. Nothing else can be done while the store is unavailable.
      }
    },
  };
}
