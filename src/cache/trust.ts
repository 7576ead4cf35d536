import type { CacheGenerationStore } from "../ports/cache-generation.ts";
import type { SharedCache } from "../ports/shared-cache.ts";
import { generationOfBeat } from "./beat-id.ts";
import { createGenerationQuestions, type GenerationQuestions } from "./generation-questions.ts";
import { createHeartbeats, type Heartbeats, noHeartbeats } from "./heartbeats.ts";
import { createKnownGeneration, type KnownGeneration } from "./known-generation.ts";
import { createOutageJudgements } from "./outage-judgements.ts";
import { createServerAdoption } from "./server-adoption.ts";
import { type AnnounceAgain, type Announced, createSettlement } from "./settlement.ts";
import { createStoreContact, type StoreContact } from "./store-contact.ts";

/**
 * How far caches may be trusted at a moment:
 * - `leased`: the generation was read from the store a moment ago, so everything that happened to the shared cache before that is known;
 * - `grace`: the store has left several questions unanswered since then, and the outage setting allows cached records for a while;
 * - `none`: not at all; ask the store.
 */
export type TrustMode = "leased" | "grace" | "none";

/** When in-process entries may be served: before anything else is asked, only if the shared cache cannot answer, or not at all. */
export type LocalUse = "first" | "last" | "never";

export interface CacheTrust {
  mode(): TrustMode;
  localUse(): LocalUse;
  /** The known generation, if it began with the shared cache `cacheId`; otherwise null. */
  generationOf(cacheId: string | null): number | null;
  /** Incremented by everything that puts older knowledge in doubt. Records that were read in another epoch must not be kept. */
  readonly epoch: number;
  /**
   * Call after the store acknowledged a change, with null if it is unknown whether a server of the shared cache accepted it. Resolves once
   * no process can trust the old state beyond the bound. Rejects if the store cannot be asked; then the bound begins when it can be asked
   * again, because the change exists although it was not announced. If a generation began while the change was made, `announceAgain` is
   * called, which saves the next one: otherwise, if changes were always in progress, each generation would make the next one necessary.
   */
  settle(announced: Announced | null, announceAgain?: AnnounceAgain): Promise<void>;
  /**
   * Resolves if the store has confirmed within the lease before this call, or confirms now, that it is in force. Rejects with the store's
   * error if it cannot, and immediately if at least three ticks have found that it cannot. What the store returns after that is at most one
   * lease old, and only for a short time.
   */
  confirm(): Promise<void>;
  /**
   * A reader waits for this after a failure of the store, before it asks the caches once more. Resolves once it is clear what the failure
   * means: either the store is lost, so that `grace` may apply, or it has answered a later question. That takes six ticks at most, and no
   * time if the store is known to be lost or nothing is served without it.
   */
  judgeOutage(): Promise<void>;
  /** Handles a message of the shared cache (SharedCacheListener). */
  onBeat(beatId: string, cacheId: string): void;
  onGap(): void;
  /** Reads the generation and sends a heartbeat. Call every 250 ms. Never rejects. */
  tick(): Promise<void>;
}

export interface CacheTrustOptions {
  readonly generations: CacheGenerationStore;
  /** Null if processes share no cache. Every change then needs a generation that began after it. */
  readonly shared: SharedCache | null;
  /** Milliseconds of a clock that only increases, at the speed of real time. */
  readonly monotonicMs: () => number;
  /** How long a generation is valid after it was requested, and a heartbeat after it was sent. */
  readonly leaseMs: number;
  /** How long entries are served without the store; 0 means only until the lease ends. */
  readonly graceMs: number;
  /** How long the generation must name another server of the shared cache before this process begins one for its own. */
  readonly identityPatienceMs: number;
  /**
   * With a shared cache, a change begins a generation no sooner than this after entries were last dropped, so that changes that cannot be
   * announced do not keep the caches empty. It is acknowledged later by as much.
   */
  readonly generationPaceMs: number;
  /** Runs the work after this time. */
  readonly schedule: (delayMs: number, work: () => void) => void;
  /** Drops every in-process entry. Called before the new epoch is visible. */
  readonly reset: () => void;
  /** Unique among all processes and times. Contains no colon. */
  readonly createBeatId: () => string;
}

/**
 * The rules ("The verifier cache" in ARCHITECTURE.md) by which a process decides whether a cache may still be trusted. It requires two
 * proofs. Each is valid for one lease from the moment it was *requested*, so that a slow answer does not prove too much:
 *
 * 1. The generation, read from the store. A process that could not announce a change through the shared cache begins a new generation
 *    before it acknowledges the change, and so does a process that finds that the shared cache restarted. A process that cannot read the
 *    generation is in doubt.
 * 2. A heartbeat through the shared cache. Messages arrive in order, so a heartbeat that returns proves that every change published before
 *    it was received. Only in-process entries need this, because the shared cache itself contains what was announced.
 *
 * A process that is cut off from the store cannot read the generation, but learns of a new one from the heartbeats of the others, which
 * they send before anything else under a new generation. Otherwise it would keep asking the shared cache for entries that are no longer
 * updated.
 */
export function createCacheTrust(options: CacheTrustOptions): CacheTrust {
  const { shared, monotonicMs, leaseMs, graceMs, generationPaceMs, schedule, reset } = options;
  const heartbeats = shared === null ? noHeartbeats : createHeartbeats({ ...options, shared });
  let droppedMs = Number.NEGATIVE_INFINITY;
  const known = createKnownGeneration(() => {
    droppedMs = monotonicMs();
    heartbeats.forgetProof();
    reset();
  });
  const contact = createStoreContact(monotonicMs);
  const isGone = () => contact.isLost() && monotonicMs() - known.confirmedMs > leaseMs;
  const judgements = createOutageJudgements(contact, isGone);
  const beat = () => {
    if (known.current !== null) heartbeats.send(known.current);
  };
  const questions = createGenerationQuestions(options.generations, { contact, known, judgements, beat });
  const pause = async () => {
    const delayMs = shared === null ? 0 : droppedMs + generationPaceMs - monotonicMs();
    if (delayMs > 0) await new Promise<void>((resolve) => schedule(delayMs, resolve));
  };
  const { settle, payDebt } = createSettlement(questions, pause);
  const adoption = shared === null ? { ...options, known, ...withoutShared } : { ...options, known, shared };
  const adoptSharedCache = createServerAdoption(adoption, questions.advance);

  return {
    ...createJudgement(options, { contact, known, heartbeats }),
    generationOf: (cacheId) =>
      known.current !== null && cacheId !== null && cacheId === known.current.cacheId ? known.current.number : null,
    get epoch() {
      return known.epoch;
    },
    settle,
    confirm: createConfirm(contact, questions.read, monotonicMs, leaseMs),
    judgeOutage: () => (graceMs === 0 || known.current === null || isGone() ? Promise.resolve() : judgements.next()),
    onBeat(beatId, cacheId) {
      const heard = generationOfBeat(beatId);
      // Before the store's first answer nothing can be in doubt.
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
        await adoptSharedCache();
      } catch {
        // The lease ends by itself. Nothing else can be done while the store is unavailable.
      }
    },
  };
}

/**
 * A process without a shared cache hears nothing of changes that others announce through theirs, so it trusts no entries while the
 * generation names one. After this time it begins a generation without one, in case the others are gone. If they are not, they begin the
 * next one.
 */
const withoutShared = { shared: { cacheId: "" }, identityPatienceMs: 60_000 };

interface Proofs {
  readonly contact: StoreContact;
  readonly known: KnownGeneration;
  readonly heartbeats: Heartbeats;
}

/** Judges both proofs at this moment. */
function createJudgement(
  { shared, monotonicMs, leaseMs, graceMs }: CacheTrustOptions,
  { contact, known, heartbeats }: Proofs,
): Pick<CacheTrust, "mode" | "localUse"> {
  const modeAt = (nowMs: number): TrustMode => {
    if (known.current === null) return "none";
    const ageMs = nowMs - known.confirmedMs;
    if (ageMs <= leaseMs) return "leased";
    return ageMs <= graceMs && contact.isLost() ? "grace" : "none";
  };
  const othersShare = () => shared === null && known.current?.cacheId !== withoutShared.shared.cacheId;
  return {
    mode: () => modeAt(monotonicMs()),
    localUse() {
      if (othersShare()) return "never";
      const nowMs = monotonicMs();
      const mode = modeAt(nowMs);
      if (mode === "none") return "never";
      const proofAgeMs = heartbeats.proofAgeMs(nowMs);
      if (proofAgeMs <= leaseMs) return "first";
      // Counted from the proof, so that a change that the shared cache accepted is visible here after at most one grace period.
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
    // All waiting callers share one question. It may have started too early for this caller, but the next one has not.
    while (contact.answeredSinceMs < neededMs) {
      if (contact.outage !== null && contact.isLost()) throw contact.outage.error;
      confirming ??= read().finally(() => {
        confirming = null;
      });
      await confirming;
    }
  };
}
