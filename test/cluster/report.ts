import type { Outcome } from "./episode.ts";

/** Several episodes of one situation, combined. */
export interface Summary {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Median time from an acknowledgement to the next verification of that key at another node. */
  readonly lookMs: number;
  /** At the node that made the changes. */
  readonly ownMaxMs: number;
  readonly verifications: number;
  readonly hitShare: number;
  readonly slowestMs: number;
  /** Verifications with a status other than 200, by what came instead. */
  readonly others: ReadonlyMap<string, number>;
  readonly refusedChanges: number;
}

export function summaryOf(outcomes: readonly Outcome[]): Summary {
  const sorted = outcomes.flatMap(({ elsewhereMs }) => elsewhereMs).sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
  const looks = outcomes.flatMap(({ lookMs }) => lookMs).sort((a, b) => a - b);
  const others = new Map<string, number>();
  for (const { counts } of outcomes) for (const [label, count] of counts.others) others.set(label, (others.get(label) ?? 0) + count);
  const verifications = outcomes.reduce((sum, { counts }) => sum + counts.verifications, 0);
  return {
    count: sorted.length,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
    lookMs: looks[looks.length >> 1] ?? Number.POSITIVE_INFINITY,
    ownMaxMs: Math.max(...outcomes.flatMap(({ ownMs }) => ownMs)),
    verifications,
    hitShare: outcomes.reduce((sum, { counts }) => sum + counts.hits, 0) / verifications,
    slowestMs: Math.max(...outcomes.map(({ counts }) => counts.slowestMs)),
    others,
    refusedChanges: outcomes.reduce((sum, { refusedChanges }) => sum + refusedChanges, 0),
  };
}

export const tableHead =
  `${"situation, change".padEnd(68)}${"n".padStart(5)}${"p50".padStart(7)}${"p99".padStart(7)}${"max".padStart(7)}${"own".padStart(6)}${"look".padStart(6)}` +
  `${"verified".padStart(10)}${"hits".padStart(6)}${"slowest".padStart(9)}  not 200`;

/**
 * Times in ms, from the acknowledgement to the start of the last verification that was accepted elsewhere (own: at the changing server).
 * look: to the next verification with any outcome (median).
 */
export function tableRow(name: string, summary: Summary): string {
  const ms = (value: number, width: number) => value.toFixed(0).padStart(width);
  const others = Array.from(summary.others, ([label, count]) => `${count} x ${label}`).join(", ");
  const changes = summary.refusedChanges === 0 ? "" : `; ${summary.refusedChanges} changes retried`;
  return (
    `${name.padEnd(68)}${String(summary.count).padStart(5)}${ms(summary.p50Ms, 7)}${ms(summary.p99Ms, 7)}${ms(summary.maxMs, 7)}` +
    `${ms(summary.ownMaxMs, 6)}${ms(summary.lookMs, 6)}${String(summary.verifications).padStart(10)}${`${(summary.hitShare * 100).toFixed(0)}%`.padStart(6)}` +
    `${ms(summary.slowestMs, 9)}  ${others === "" ? "0" : others}${changes}`
  );
}
