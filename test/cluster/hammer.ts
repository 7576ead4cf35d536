import { setTimeout as sleep } from "node:timers/promises";
import { type Subject, verifyPath } from "./changes.ts";
import type { Node } from "./cluster.ts";

/** What happened to one key. Times are milliseconds of `performance.now()` in this process. */
export interface Track {
  readonly subject: Subject;
  /** When the change will be requested. */
  readonly dueMs: number;
  /** When its acknowledgement arrived; null before that. */
  acknowledgedMs: number | null;
  /** By node: start of the latest verification that found the old state. */
  readonly lastAcceptedMs: Map<Node, number>;
  /** By node: start of the first verification after the acknowledgement. */
  readonly firstLookMs: Map<Node, number>;
}

export interface HammerCounts {
  verifications: number;
  hits: number;
  slowestMs: number;
  /** Responses other than 200, by status and reason, or why there was none. */
  readonly others: Map<string, number>;
}

/** Most verifications go to a key from this long before its change until this long after it was last accepted. */
const focusLeadMs = 10;
const focusTailMs = 150;

/** Verifies the keys at every node, mostly those that are changing, until `stop` is called. Each loop pauses between two verifications. */
export function startHammer(nodes: readonly Node[], tracks: readonly Track[], loopsPerNode: number, pauseMs: number) {
  const counts: HammerCounts = { verifications: 0, hits: 0, slowestMs: 0, others: new Map() };
  let running = true;

  const verify = async (node: Node, track: Track) => {
    const { verifyBody, verifyHeaders } = track.subject;
    const startedMs = performance.now();
    if (track.acknowledgedMs !== null && !track.firstLookMs.has(node)) track.firstLookMs.set(node, startedMs);
    const outcome = await node.http.send("POST", verifyPath, verifyBody, verifyHeaders).catch((error: Error) => error);
    counts.verifications += 1;
    counts.slowestMs = Math.max(counts.slowestMs, performance.now() - startedMs);
    if (outcome instanceof Error || outcome.status !== 200) {
      const label = outcome instanceof Error ? outcome.message : `${outcome.status} ${reasonOf(outcome.body)}`;
      counts.others.set(label, (counts.others.get(label) ?? 0) + 1);
      return;
    }
    if (outcome.cacheStatus.endsWith("hit")) counts.hits += 1;
    const isOldState = (outcome.body as { is_valid: boolean }).is_valid !== (track.subject.isRefusedBefore ?? false);
    if (!isOldState) return;
    track.lastAcceptedMs.set(node, Math.max(startedMs, track.lastAcceptedMs.get(node) ?? 0));
  };

  const loop = async (node: Node, offset: number) => {
    for (let turn = offset; running; turn += 1) {
      const nowMs = performance.now();
      const inFocus = turn % 4 === 0 ? [] : tracks.filter((track) => isInFocus(track, node, nowMs));
      const candidates = inFocus.length === 0 ? tracks : inFocus;
      await verify(node, candidates[turn % candidates.length] as Track);
      if (pauseMs > 0) await sleep(pauseMs);
    }
  };
  const loops = nodes.flatMap((node) => Array.from({ length: loopsPerNode }, (_, index) => loop(node, index * 7)));

  return {
    counts,
    async stop(): Promise<void> {
      running = false;
      await Promise.all(loops);
    },
  };
}

function isInFocus({ dueMs, acknowledgedMs, lastAcceptedMs }: Track, node: Node, nowMs: number): boolean {
  if (nowMs < dueMs - focusLeadMs) return false;
  return acknowledgedMs === null || nowMs < Math.max(acknowledgedMs, lastAcceptedMs.get(node) ?? 0) + focusTailMs;
}

function reasonOf(body: unknown): string {
  const { error } = (body ?? {}) as { error?: { details?: { reason?: string }[] } };
  return error?.details?.find(({ reason }) => reason !== undefined)?.reason ?? "";
}
