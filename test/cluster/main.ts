import {
  actorLimit,
  type ChangeKind,
  deletion,
  disabling,
  enabling,
  endOfGrace,
  narrowing,
  raisedReason,
  revocation,
  revocationInGrace,
  rootRevocation,
  rotation,
  suspension,
} from "./changes.ts";
import { type Cluster, type Node, startCluster } from "./cluster.ts";
import { longPace, runEpisode } from "./episode.ts";
import { summaryOf, tableHead, tableRow } from "./report.ts";
import {
  changerCutFromRedis,
  healthy,
  primarySteppedDown,
  type Situation,
  secondCutFromMongo,
  secondCutFromRedis,
  situations,
} from "./situations.ts";

/**
 * `npm run cluster [changes per situation] [text]` measures how long a key is accepted after its revocation was acknowledged, with real
 * processes, in every situation whose name contains the text. The exit code is 1 if a bound is broken.
 */
const wanted = Number(process.argv[2] ?? 200);
const filter = process.argv[3] ?? "";
const keysPerEpisode = 50;

const rows: (readonly [Situation, ChangeKind])[] = [
  ...situations.map((situation) => [situation, revocation] as const),
  ...[healthy, changerCutFromRedis].flatMap((situation) =>
    [narrowing, rotation, deletion, disabling, enabling, endOfGrace, actorLimit, revocationInGrace, rootRevocation, raisedReason].map(
      (kind) => [situation, kind] as const,
    ),
  ),
  ...[healthy, changerCutFromRedis, secondCutFromRedis, primarySteppedDown, secondCutFromMongo].map(
    (situation) => [situation, suspension] as const,
  ),
];

await using cluster = await startCluster();
console.info(tableHead);
for (const [situation, kind] of rows) {
  const name = `${situation.name}, ${kind.name}`;
  if (name.includes(filter)) await measure(cluster, situation, kind, name);
}

async function measure({ nodes }: Cluster, situation: Situation, kind: ChangeKind, name: string): Promise<void> {
  const outcomes = [];
  for (let left = wanted; left > 0; left -= keysPerEpisode) {
    const plan = { cluster, changer: nodes[0] as Node, kind, keyCount: Math.min(left, keysPerEpisode), pace: longPace };
    outcomes.push(await runEpisode({ ...plan, fault: situation.fault?.(cluster) ?? null }));
  }
  const summary = summaryOf(outcomes);
  console.info(tableRow(name, summary));
  const isBroken = summary.p99Ms > situation.boundMs || summary.maxMs > 2000 || summary.ownMaxMs > 0;
  if (isBroken || (situation.storeIsWell && summary.others.size > 0)) process.exitCode = 1;
}
