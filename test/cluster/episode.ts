import { setTimeout as sleep } from "node:timers/promises";
import { type Change, type ChangeKind, type Subject, verifyPath } from "./changes.ts";
import type { Cluster, Node } from "./cluster.ts";
import { type HammerCounts, startHammer, type Track } from "./hammer.ts";

export interface Fault {
  /** Runs before the first change. */
  prepare?(): Promise<void>;
  begin(): Promise<void>;
  end(): Promise<void>;
}

export interface Plan {
  readonly cluster: Cluster;
  /** The node that receives the changes. */
  readonly changer: Node;
  readonly kind: ChangeKind;
  readonly keyCount: number;
  /** Null: no fault. */
  readonly fault: Fault | null;
  readonly pace: Pace;
}

export interface Outcome {
  /**
   * One per acknowledged change: time from its acknowledgement to the start of the last verification that another node accepted. 0: none
   * after it.
   */
  readonly elsewhereMs: readonly number[];
  /** The same for the node that made the change. */
  readonly ownMs: readonly number[];
  /**
   * One per change and other node: time from the acknowledgement to the first verification that began after it. Shows how precise the
   * figures are.
   */
  readonly lookMs: readonly number[];
  readonly counts: HammerCounts;
  /** Responses to changes other than successes. */
  readonly refusedChanges: number;
}

const loopsPerNode = 2;
const warmWithinMs = 20_000;
/** The timing of an episode with a fault, counted from its beginning. Changes start before the fault and end after it. */
export interface Pace {
  readonly firstChangeMs: number;
  readonly faultMs: number;
  readonly faultEndMs: number;
  readonly lastChangeMs: number;
  /** How long keys are verified after the last change. */
  readonly watchMs: number;
  /** Between two verifications of one loop. What the figures lose in precision is far below what the short form requires. */
  readonly pauseMs: number;
}

export const longPace: Pace = { firstChangeMs: 400, faultMs: 700, faultEndMs: 2700, lastChangeMs: 3700, watchMs: 2200, pauseMs: 0 };
export const shortPace: Pace = { firstChangeMs: 200, faultMs: 400, faultEndMs: 1900, lastChangeMs: 2300, watchMs: 1200, pauseMs: 3 };
const healthyPace = { firstChangeMs: 200, gapMs: 40, watchMs: 300 };

/** Changes keys at one node, one after the other, while every node verifies them. Measures how long the old state is accepted. */
export async function runEpisode({ cluster, changer, kind, keyCount, fault, pace }: Plan): Promise<Outcome> {
  const subjects = await prepareAll(changer, kind, keyCount);
  await Promise.all(cluster.nodes.map((node) => warm(node, subjects)));
  await fault?.prepare?.();

  const { firstChangeMs, watchMs } = fault === null ? healthyPace : pace;
  const gapMs = fault === null ? healthyPace.gapMs : (pace.lastChangeMs - pace.firstChangeMs) / keyCount;
  const begunMs = performance.now();
  const tracks = subjects.map(
    (subject, index): Track => ({
      subject,
      dueMs: begunMs + firstChangeMs + index * gapMs,
      acknowledgedMs: null,
      lastAcceptedMs: new Map(),
      firstLookMs: new Map(),
    }),
  );
  const hammer = startHammer(cluster.nodes, tracks, loopsPerNode, pace.pauseMs);
  let refusedChanges = 0;
  const untilAcknowledged = async ({ method, path, body, headers }: Change): Promise<unknown> => {
    for (;;) {
      const answer = await changer.http.send(method, path, body, headers).catch((error: Error) => error);
      if (!(answer instanceof Error) && answer.status < 300) return answer.body;
      refusedChanges += 1;
    }
  };
  const change = async (track: Track) => {
    await sleep(track.dueMs - performance.now());
    const { change: first, followedBy, effectMs } = track.subject;
    const body = await untilAcknowledged(first);
    // All processes share the clock of this machine.
    if (effectMs !== undefined) for (const untilMs = effectMs(body); Date.now() < untilMs; ) await sleep(untilMs - Date.now());
    if (followedBy !== undefined) await untilAcknowledged(followedBy);
    track.acknowledgedMs = performance.now();
  };
  const misfortune = async () => {
    if (fault === null) return;
    await sleep(begunMs + pace.faultMs - performance.now());
    await fault.begin();
    await sleep(begunMs + pace.faultEndMs - performance.now());
    await fault.end();
  };
  await Promise.all([misfortune(), ...tracks.map(change)]);
  await sleep(watchMs);
  await hammer.stop();

  const lateMs = (nodes: readonly Node[]) =>
    tracks.map(({ acknowledgedMs, lastAcceptedMs }) =>
      Math.max(0, ...nodes.map((node) => (lastAcceptedMs.get(node) ?? 0) - (acknowledgedMs ?? 0))),
    );
  const others = cluster.nodes.filter((node) => node !== changer);
  const lookMs = tracks.flatMap(({ acknowledgedMs, firstLookMs }) =>
    others.map((node) => (firstLookMs.get(node) ?? Number.POSITIVE_INFINITY) - (acknowledgedMs ?? 0)),
  );
  return { elsewhereMs: lateMs(others), ownMs: lateMs([changer]), lookMs, counts: hammer.counts, refusedChanges };
}

async function prepareAll({ http }: Node, kind: ChangeKind, count: number): Promise<Subject[]> {
  const subjects: Subject[] = [];
  while (subjects.length < count) {
    const size = Math.min(10, count - subjects.length);
    subjects.push(...(await Promise.all(Array.from({ length: size }, () => kind.prepare(http)))));
  }
  return subjects;
}

/** Verifies every key until it comes from a cache. Also waits for the consequences of an earlier fault to end. */
async function warm({ http, name }: Node, subjects: readonly Subject[]): Promise<void> {
  const deadlineMs = performance.now() + warmWithinMs;
  for (const { verifyBody, verifyHeaders, isRefusedBefore = false } of subjects) {
    for (;;) {
      const { status, body, cacheStatus } = await http.send("POST", verifyPath, verifyBody, verifyHeaders);
      const isWrong = status === 200 && (body as { is_valid: boolean }).is_valid === isRefusedBefore;
      if (isWrong) throw new Error(`${name} ${isRefusedBefore ? "accepts a refused" : "refuses a valid"} key`);
      if (cacheStatus.endsWith("hit")) break;
      if (performance.now() > deadlineMs) throw new Error(`${name} does not cache: ${status} ${cacheStatus}`);
      await sleep(2);
    }
  }
}
