import { AsyncLocalStorage } from "node:async_hooks";
import type { Redis } from "ioredis";
import { createMemoryLedger } from "../../src/adapters/memory/ledger.ts";
import type { Circuit } from "../../src/adapters/redis/circuit.ts";
import { createRedisLedger } from "../../src/adapters/redis/ledger.ts";
import type { Link } from "../../src/adapters/redis/link.ts";
import { createSharedRateLimiter } from "../../src/limit/rate-limiter.ts";
import type { SharedLedger } from "../../src/ports/ledger.ts";
import type { Limit } from "../../src/ports/rate-limiter.ts";
import { createScheduler, type Scheduler } from "../model/scheduler.ts";
import { type Admission, type ChangeScript, type Command, type RunCommand, virtualLink, virtualRedis } from "./virtual-redis.ts";

/** Bugs that a test puts in. */
export interface Bug {
  readonly leaseScript?: ChangeScript;
  readonly ledger?: (ledger: SharedLedger) => SharedLedger;
}

export interface Network {
  readonly tripMs: (scheduler: Scheduler) => number;
  readonly lossRate: number;
}

/** Processes that share limits through one Redis, over slow and lossy connections, with pauses, deaths and clocks that differ. */
export interface World {
  readonly scheduler: Scheduler;
  readonly admissions: Admission[];
  /** Takes that no server was asked about. */
  readonly counts: { leased: number; refused: number };
  start(): Process;
}

export interface Process {
  /** Resolves to whether all limits admitted the cost. Never settles if the process dies. */
  take(limits: readonly Limit[], cost: number): Promise<boolean>;
  /** What is left of each limit. */
  look(limits: readonly Limit[]): Promise<readonly number[]>;
  /** Runs the work later, unless the process is dead by then, and not while it is paused. */
  after(delayMs: number, work: () => void): void;
  pause(spanMs: number): void;
  die(): void;
}

const commandTimeoutMs = 100;
const usPerMs = 1000;
const lossy: Network = { tripMs, lossRate: 0.002 };

export function createWorld(redis: Redis, seed: number, { leaseScript, ledger }: Bug, network = lossy): World {
  const scheduler = createScheduler(seed);
  const nowUs = () => Math.floor((scheduler.nowMs() + 1e6) * usPerMs);
  const run = virtualRedis(redis, nowUs, { kwLease: leaseScript });
  const world = { scheduler, admissions: [], counts: { leased: 0, refused: 0 } };
  const start = () => {
    const speed = scheduler.between(0.85, 1.15);
    const change = ledger ?? ((same: SharedLedger) => same);
    return startProcess({ world: { ...world, start }, network, nowUs, run, speed, namespace: `world-${seed}`, change });
  };
  return { ...world, start };
}

interface ProcessOptions {
  readonly world: World;
  readonly network: Network;
  readonly nowUs: () => number;
  readonly run: RunCommand;
  readonly speed: number;
  readonly namespace: string;
  readonly change: (ledger: SharedLedger) => SharedLedger;
}

function startProcess({ world, network: { tripMs, lossRate }, nowUs, run, speed, namespace, change }: ProcessOptions): Process {
  const { scheduler, admissions, counts } = world;
  const offsetMs = scheduler.between(0, 1e6);
  const monotonicMs = () => offsetMs + scheduler.nowMs() * speed;
  const life = createLife(scheduler);
  /** The take for which commands are sent. */
  const takes = new AsyncLocalStorage<{ ids: readonly string[]; atServerUs: number }>();

  const send = (command: Command, given: readonly (string | number)[]): Promise<unknown> => {
    const take = takes.getStore();
    return new Promise((resolve, reject) => {
      const settle = (outcome: () => void) => {
        outcome();
        scheduler.letSettle();
      };
      const deliver = (answer: unknown) => {
        if (!scheduler.chance(lossRate)) life.after(tripMs(scheduler), () => settle(() => resolve(answer)));
      };
      life.after(commandTimeoutMs, () => settle(() => reject(new Error("timed out"))));
      if (scheduler.chance(lossRate)) return;
      scheduler.after(tripMs(scheduler), () => {
        if (take !== undefined && command === "kwTake") take.atServerUs = nowUs();
        scheduler.letFinish(run(command, given).then(deliver, reject));
      });
    });
  };

  const redisLedger = change(createRedisLedger(circuitOf(send, life, scheduler), { namespace }));
  const limiter = createSharedRateLimiter({
    local: createMemoryLedger({ maxEntries: 100, monotonicMs, isFollower: true }),
    shared: {
      get serverId() {
        return redisLedger.serverId;
      },
      take(tenant, charges) {
        const take = takes.getStore();
        if (take !== undefined) take.ids = charges.map(({ id }) => id);
        return redisLedger.take(tenant, charges);
      },
      lease: redisLedger.lease,
    },
    outage: "closed",
    monotonicMs,
    schedule: (delayMs, work) => life.after(delayMs / speed, work),
  });

  return {
    ...life,
    async take(limits, cost) {
      const take = { ids: [] as string[], atServerUs: 0 };
      const fromLeaseUs = nowUs();
      const answers = await takes.run(take, () => limiter.takeAll("default", limits, cost));
      if (take.ids.length === 0) counts.leased += 1;
      const isAdmitted = answers.every(({ admitted }) => admitted);
      if (!isAdmitted) counts.refused += 1;
      else for (const { id } of limits) admissions.push({ id, cost, atUs: take.ids.includes(id) ? take.atServerUs : fromLeaseUs });
      return isAdmitted;
    },
    look: async (limits) => (await limiter.takeAll("default", limits, 0)).map(({ remaining }) => Number(remaining)),
  };
}

function tripMs(scheduler: Scheduler): number {
  return scheduler.chance(0.05) ? scheduler.between(5, 120) : scheduler.between(0.1, 3);
}

function createLife(scheduler: Scheduler): Pick<Process, "after" | "pause" | "die"> {
  let pausedUntilMs = 0;
  let isDead = false;
  const whenAwake = (work: () => void) => {
    if (isDead) return;
    const restMs = pausedUntilMs - scheduler.nowMs();
    if (restMs > 0) scheduler.after(restMs, () => whenAwake(work));
    else work();
  };
  return {
    after: (delayMs, work) => scheduler.after(delayMs, () => whenAwake(work)),
    pause(spanMs) {
      pausedUntilMs = scheduler.nowMs() + spanMs;
    },
    die() {
      isDead = true;
    },
  };
}

/** A link that is lost for a while if a command gets no answer. */
function circuitOf(send: RunCommand, life: Pick<Process, "after">, scheduler: Scheduler): Circuit {
  const link = virtualLink(send);
  let current: Link | null = link;
  return {
    get link() {
      return current;
    },
    async attempt(commands) {
      if (current === null) return null;
      try {
        return { link, result: await commands(link) };
      } catch {
        current = null;
        life.after(scheduler.between(1, 300), () => {
          current = link;
        });
        return null;
      }
    },
    attach: () => {},
    close: () => {},
  };
}
