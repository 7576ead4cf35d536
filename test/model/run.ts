import type { AnnounceChange } from "../../src/cache/announce.ts";
import { Failure } from "../../src/error/failure.ts";
import { boundMs, createFaultLog } from "./faults.ts";
import { createSaboteur, type Machine } from "./faults-at-work.ts";
import { createHistory } from "./history.ts";
import { createHost } from "./host.ts";
import { createLink } from "./link.ts";
import { type Node, startNode, tenant } from "./node.ts";
import { createOperations, createSlots, credentialOf, importedSlot, keyIdOf, slotOf, tenantSlot } from "./operations.ts";
import type { Protocol } from "./protocol.ts";
import { createRedis } from "./redis.ts";
import type { Operation, Scenario } from "./scenario.ts";
import { createScheduler } from "./scheduler.ts";
import { createStoreState } from "./store.ts";
import { suspendableKeyId } from "./tenant.ts";

export interface RunOptions {
  /** False: the mutant whose shared cache overwrites anything. */
  readonly sharedPutsIfNewer?: boolean;
  /** False: property (c) is checked by other runs. */
  readonly checksReplacement?: boolean;
}

/** Totals of a run, so that a test can show that something was tested. */
export interface RunSummary {
  readonly verifications: number;
  readonly acknowledged: number;
  readonly hits: number;
  readonly unavailable: number;
}

/** Only the rule about the 60 s grace period matters, and a short one leaves time for what follows it. */
const graceMs = { serve: 6000, refuse: 0 };
const firstStepMs = 1500;
const verifyIntervalMs = 200;
/** This long after the last fault everything works as before. */
const recoveryMs = 5000;

/** Runs a scenario and throws if a property does not hold. The message says which one, when and where. */
export async function run(protocol: Protocol, scenario: Scenario, options: RunOptions = {}): Promise<RunSummary> {
  const scheduler = createScheduler(scenario.seed);
  const { nowMs, after, between, chance } = scheduler;
  const violations: string[] = [];
  const violated = (what: string) => violations.push(`${what} (at ${nowMs().toFixed(1)} ms)`);
  const history = createHistory(nowMs);
  const log = createFaultLog(nowMs);
  const state = createStoreState();
  state.onCommit = history.committed;
  const onRegress = (key: string) => options.checksReplacement !== false && violated(`(c) ${key}: an older record replaced a newer one`);
  const redis = scenario.hasSharedCache
    ? createRedis(scheduler, { putsIfNewer: options.sharedPutsIfNewer ?? true, onRegress: (key) => onRegress(`shared ${key}`) })
    : null;
  const bounds = { outage: scenario.outage, graceMs: graceMs[scenario.outage], hasSharedCache: redis !== null };
  const sabotage = createSaboteur(scheduler, log, redis);
  const counts = { verifications: 0, acknowledged: 0, hits: 0, unavailable: 0 };
  const finalChecks: (() => void)[] = [];

  const machines: (Machine & { readonly node: () => Node })[] = Array.from({ length: scenario.processes }, (_, id) => {
    const host = createHost(id, scheduler);
    const links = {
      store: createLink(scheduler, { isOrdered: false }),
      commands: createLink(scheduler, { isOrdered: true }),
      subscriber: createLink(scheduler, { isOrdered: true }),
    };
    const skewMs = scenario.skewsMs[id] ?? 0;
    const { cacheTtlMs, storeTimeoutMs } = scenario;
    const startIt = () =>
      startNode({
        protocol,
        scheduler,
        host,
        store: state,
        redis,
        links,
        skewMs,
        cacheTtlMs,
        storeTimeoutMs,
        graceMs: bounds.graceMs,
        onRegress,
      });
    let node = startIt();
    const start = () => {
      host.start();
      node = startIt();
    };
    return { host, links, start, node: () => node, shared: () => node.shared };
  });

  /** Credentials by slot. Replaced ones are still verified after a rotation. */
  const slots = createSlots();
  const performIn = createOperations(protocol, slots);

  const operate = (machine: (typeof machines)[number], operation: Operation, stepSlot: number) => {
    const slot = slotOf(operation, stepSlot);
    const { host } = machine;
    host.deliver(host.life, () => {
      const { life } = host;
      const begunMs = nowMs();
      const announced: { keyId: string; revision: number }[] = [];
      const credential = slots[slot]?.at(-1);
      const { service, directory } = machine.node();
      const beginChange = (tenant: string, keyId: string): AnnounceChange => {
        const announce = service.announcer.beginChange(tenant, keyId);
        return (record, revision) => {
          announced.push({ keyId, revision });
          return announce(record, revision);
        };
      };
      const watched = { ...service, announcer: { ...service.announcer, beginChange } };
      const done = performIn(watched, directory, operation, slot).catch((error: unknown) => {
        // That a deleted key is not found is binding too.
        const isGone = operation === "delete" && slot === importedSlot && (error as Failure).reason === "KEY_NOT_FOUND";
        if (!isGone) throw error;
        const revision = history.deletedSince(keyIdOf(credential as string), begunMs);
        if (revision !== null) announced.push({ keyId: keyIdOf(credential as string), revision });
      });
      done.then(
        () => {
          // The revision that it announced. A revocation is binding even if it was not announced.
          const isRevocation = operation === "revoke" || operation === "supersede" || operation === "suspend";
          const revoked = isRevocation && credential !== undefined ? history.revokedSince(keyIdOf(credential), begunMs) : null;
          const last = announced.at(-1) ?? (revoked === null ? undefined : { keyId: keyIdOf(credential as string), revision: revoked });
          counts.acknowledged += 1;
          if (last !== undefined) {
            for (const delayMs of [0, 1, 5, 25]) after(delayMs, () => verify(machine, credentialOf(last.keyId)));
            history.acknowledged(last.keyId, { revision: last.revision, process: host.id, life, begunMs, atMs: nowMs() });
          }
        },
        (error: unknown) => {
          if (!(error instanceof Failure) && (error as Error).name !== "Failure") violated(`an operation failed: ${String(error)}`);
        },
      );
    });
  };

  const verify = (machine: (typeof machines)[number], credential: string, onLocalHit: (() => void) | null = null, bypassing = 0.03) => {
    const { host } = machine;
    host.deliver(host.life, () => {
      const { life, id } = host;
      const startedMs = nowMs();
      const begunAtClockMs = machine.node().service.clock();
      const keyId = keyIdOf(credential);
      const knownChanges = history.changesOf(keyId).length;
      const before = machine.node().asked();
      const where = () => `process ${id}, ${keyId}, verification begun at ${startedMs.toFixed(1)} ms`;
      let isSettled = false;
      finalChecks.push(() => {
        if (!isSettled && host.life === life) violated(`never answered: ${where()}`);
      });
      counts.verifications += 1;
      const circumstances = { endUserAddress: () => null, requiredScopes: [], audience: "", statedAddress: null, cost: 1 };
      const cacheDirective = onLocalHit === null && chance(bypassing) ? "no-cache" : "none";
      const node = machine.node();
      const verifyNow = onLocalHit === null ? node.verifySomehow : node.verify;
      Promise.resolve(verifyNow(tenant, { credential, ...circumstances }, cacheDirective)).then(
        ({ verdict, cacheOutcome }) => {
          isSettled = true;
          if (cacheOutcome === "hit") counts.hits += 1;
          const isAbsent = !verdict.isValid && verdict.code === "not_found";
          const ofTenant = keyId === suspendableKeyId && !isAbsent;
          const revision = ofTenant ? history.newestOfTenant(keyId, !verdict.isValid) : history.newestFor(keyId, verdict.record);
          for (const change of history.changesOf(keyId).slice(0, knownChanges)) {
            if (change.revision <= revision) continue;
            const bound = boundMs(log, bounds, change, { process: id, life }, startedMs);
            if (change.atMs + bound > startedMs) continue;
            violated(
              `(a, b) ${where()}, answers revision ${revision} (${verdict.isValid ? "valid" : verdict.code}), but process ` +
                `${change.process} acknowledged revision ${change.revision} at ${change.atMs.toFixed(1)} ms; bound ${bound} ms`,
            );
          }
          const endMs = verdict.isValid ? (verdict.record?.expireTimeMs ?? null) : null;
          if (endMs !== null && endMs <= begunAtClockMs) violated(`(h) accepted after the end of its grace period: ${where()}`);
          if (machine.node().asked() === before) onLocalHit?.();
        },
        (error: unknown) => {
          isSettled = true;
          counts.unavailable += 1;
          const hasReason = log.felt("store", id, startedMs, nowMs()) || log.felt("process", id, startedMs, nowMs());
          if (cacheDirective === "none" && bounds.outage === "serve" && host.life === life && node.mustAnswer(keyId, startedMs)) {
            violated(`(g) verification of a cached key rejected within the grace period: ${where()}: ${String(error)}`);
          }
          if (!hasReason) violated(`(f) verification rejected although the store was available: ${where()}: ${String(error)}`);
        },
      );
    });
  };

  const traffic = (machine: (typeof machines)[number]) => {
    const slot = slots[Math.floor(between(0, slots.length))] as string[];
    const credential = slot.at(chance(0.7) ? -1 : Math.floor(between(0, slot.length)));
    if (credential !== undefined) verify(machine, credential);
    after(between(1, 2 * verifyIntervalMs), () => nowMs() < endMs && traffic(machine));
  };

  // A calm start: keys in every slot, and all of them cached everywhere.
  const [first] = machines as [(typeof machines)[number]];
  after(600, () => operate(first, "issue", 0));
  after(600, () => operate(first, "issue", 1));
  after(600, () => operate(first, "import", importedSlot));
  after(600, () => operate(first, "resume", tenantSlot));

  let atMs = firstStepMs;
  let healedMs = atMs;
  for (const step of scenario.steps) {
    atMs += step.gapMs;
    healedMs = Math.max(healedMs, atMs);
    if (step.do === "operate") {
      const machine = machines[step.process % machines.length] as (typeof machines)[number];
      after(atMs, () => operate(machine, step.operation, step.slot));
      if (step.again !== null) {
        const { process, gapMs } = step.again;
        after(atMs + gapMs, () => operate(machines[process % machines.length] as (typeof machines)[number], step.operation, step.slot));
      }
      // Reads that race with the change, and some that see its outcome.
      for (const other of machines) {
        for (const [low, high] of [
          [-20, 10],
          [-20, 60],
          [0, 300],
          [100, 2600],
          [2000, 2600],
        ] as const) {
          after(Math.max(0, atMs + between(low, high)), () => {
            const credential = slots[slotOf(step.operation, step.slot)]?.at(-1);
            if (credential !== undefined) verify(other, credential, null, high < 100 ? 0.3 : 0);
          });
        }
      }
    } else {
      const chosen = machines.filter(({ host }) => (step.processes >> host.id) & 1);
      after(atMs, () => sabotage(chosen, step.fault, step.durationMs));
      healedMs = Math.max(healedMs, atMs + step.durationMs);
    }
  }
  const endMs = healedMs + recoveryMs;
  for (const machine of machines) after(between(300, 900), () => traffic(machine));
  // Of four reads in a row one finds an entry of another, whatever its deadline is.
  const last = () => {
    for (const machine of machines) {
      for (const slot of slots) {
        const credential = slot.at(-1);
        if (credential === undefined) continue;
        const localHits: string[] = [];
        for (const delayMs of [50, 350, 650, 950]) after(delayMs, () => verify(machine, credential, () => void localHits.push(credential)));
        finalChecks.push(() => {
          if (localHits.length === 0) violated(`(e) process ${machine.host.id} does not serve ${credential} from its own cache`);
        });
      }
    }
  };
  after(endMs, last);
  await scheduler.runUntil(endMs + 2000);
  for (const check of finalChecks) check();
  if (violations.length > 0) throw new Error(violations.slice(0, 3).join("\n"));
  return counts;
}
