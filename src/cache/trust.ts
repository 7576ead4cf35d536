import type { CacheGenerationStore } from "../ports/cache-generation.ts";
import type { SharedCache } from "../ports/shared-cache.ts";
import { generationOfBeat } from "./beat-id.ts";
import { createGenerationQuestions, type GenerationQuestions } from "./generation-questions.ts";
import { createHeartbeats, type Heartbeats, noHeartbeats } from "./heartbeats.ts";
import { createKnownGeneration, type KnownGeneration } from "./known-generation.ts";
import { createOutageJudgements } from "./outage-judgements.ts";
import { createServerAdoption } from "./server-adoption.ts";
import { type Announced, createSettlement } from "./settlement.ts";
import { createStoreContact, type StoreContact } from "./store-contact.ts";

/**
 * How far caches may be trusted at a moment:
 * - `leased`: the generation was read from the store a moment ago, so whatever happened to the shared cache before is known;
 * - `grace`: the store has left several questions unanswered since then, and the outage setting allows cached records for a while;
 * - `none`: not at all; ask the store.
 */
export type TrustMode = "leased" | "grace" | "none";

/** When in-process entries may be served: before anything else is asked, only if the shared cache cannot answer, or not at all. */
export type LocalUse = "first" | "last" | "never";

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
 * The rules ("The verifier cache" in ARCHITECTURE.md) by which a process decides whether a cache may still be trusted. It requires two
 * proofs, each good for one lease from the moment it was *asked for*, so that a slow answer does not prove too much:
 *
 * 1. The generation, read from the store. A process that could not announce a change through the shared cache begins a new generation
 *    before it acknowledges the change, and so does a process that finds that the shared cache restarted. A process that cannot read the
 *    generation is in doubt.
 * 2. A heartbeat through the shared cache. Messages come in order, so a heartbeat that came round proves that every change
 *    published before it has been heard. Only in-process entries need this; the shared cache itself holds what was announced.
 *
 * A process cut off from the store cannot read the generation, but hears of a new one by the heartbeats of the others, which are sent under
 * it before anything else is: otherwise it would go on asking the shared cache for entries that nobody keeps up to date any more.
 */
export function createCacheTrust(options: CacheTrustOptions): CacheTrust {
  const { shared, monotonicMs, leaseMs, graceMs, reset } = options;
  const heartbeats = shared === null ? noHeartbeats : createHeartbeats({ ...options, shared });
  const known = createKnownGeneration(() => {
    heartbeats.forgetProof();
    reset();
  });
  const contact = createStoreContact(monotonicMs);
  const judgements = createOutageJudgements(contact, () => contact.isLost() && monotonicMs() - known.confirmedMs > leaseMs);
  const beat = () => {
    if (known.current !== null) heartbeats.send(known.current);
  };
  const questions = createGenerationQuestions(options.generations, { contact, known, judgements, beat });
  const { settle, payDebt } = createSettlement(questions);
  const adoptSharedCache = shared === null ? undefined : createServerAdoption({ ...options, known, shared }, questions.advance);

  return {
    ...createJudgement(options, { contact, known, heartbeats }),
    generationOf: (cacheId) =>
      known.current !== null && cacheId !== null && cacheId === known.current.cacheId ? known.current.number : null,
    get epoch() {
      return known.epoch;
    },
    settle,
    confirm: createConfirm(contact, questions.read, monotonicMs, leaseMs),
    judgeOutage: () => (graceMs === 0 || known.current === null || judgements.isKnown() ? Promise.resolve() : judgements.next()),
    onBeat(beatId, cacheId) {
      const heard = generationOfBeat(beatId);
      // Before the first answer of the store there is nothing to doubt.
      if (heard !== null && known.current !== null) known.moveTo(heard);
      heartbeats.heard(beatId, cacheId === known.current?.cacheId);
    },
    onGap: known.doubt,
    async tick() {
      beat();
      contact.tick();
      judgements.settle();
      try {
        await questions.read();
        await payDebt();
        await adoptSharedCache?.();
      } catch {
        // The lease ends by itself. Nothing else can be done while the store is unavailable.
      }
    },
  };
}

interface Proofs {
  readonly contact: StoreContact;
  readonly known: KnownGeneration;
  readonly heartbeats: Heartbeats;
}

/** Judges both proofs at this moment. */
function createJudgement(
  { monotonicMs, leaseMs, graceMs }: CacheTrustOptions,
  { contact, known, heartbeats }: Proofs,
): Pick<CacheTrust, "mode" | "localUse"> {
  const modeAt = (nowMs: number): TrustMode => {
    if (known.current === null) return "none";
    const ageMs = nowMs - known.confirmedMs;
    if (ageMs <= leaseMs) return "leased";
    return ageMs <= graceMs && contact.isLost() ? "grace" : "none";
  };
  return {
    mode: () => modeAt(monotonicMs()),
    localUse() {
      const nowMs = monotonicMs();
      const mode = modeAt(nowMs);
      if (mode === "none") return "never";
      const proofAgeMs = heartbeats.proofAgeMs(nowMs);
      if (proofAgeMs <= leaseMs) return "first";
      // Counted from the proof, so that a change that the shared cache took is out of here one grace later at the latest.
      return mode === "grace" && proofAgeMs <= graceMs ? "last" : "never";
    },
  };
}

/** See `confirm` of CacheTrust. */
function createConfirm(
  contact: StoreContact,
  read: GenerationQuestions["read"],
  monotonicMs: () => number,
  leaseMs: number,
): CacheTrust["confirm"] {
  let confirming: Promise<unknown> | null = null;
  return async () => {
    const neededMs = monotonicMs() - leaseMs;
    // All waiting callers share one question. It may have begun too early for this caller; the next one has not.
    while (contact.answeredSinceMs < neededMs) {
      if (contact.outage !== null && contact.isLost()) throw contact.outage.error;
      confirming ??= read().finally(() => {
        confirming = null;
      });
      await confirming;
    }
  };
}
