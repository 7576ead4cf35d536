import type { Profiler } from "node:inspector";
import { constants } from "node:perf_hooks";
import type { Collection, Pause, Recording } from "./recording.ts";

const gcKinds: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: "major",
  [constants.NODE_PERFORMANCE_GC_MINOR]: "minor",
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: "incremental",
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: "weakcb",
};

/** Names what ran in a pause: garbage collections, and where in our code the profiler found the process, by number of samples. */
export function createWitness({ profile, collections }: Pick<Recording, "profile" | "collections">): (pause: Pause) => string {
  const placeOf = profile === null ? () => "" : places(profile);
  const samples = profile === null ? [] : timedSamples(profile);
  return (pause) => {
    const counts = new Map<string, number>();
    for (let at = firstAfter(samples, pause.fromMs); at < samples.length; at += 1) {
      const { atMs, node } = samples[at] as { atMs: number; node: number };
      if (atMs > pause.untilMs) break;
      const place = placeOf(node);
      counts.set(place, (counts.get(place) ?? 0) + 1);
    }
    const ordered = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 5);
    return [...gcOf(collections, pause), ...ordered.map(([place, count]) => `${count} ${place}`)].join(", ");
  };
}

function gcOf(collections: readonly Collection[], { fromMs, untilMs }: Pause): string[] {
  return collections
    .filter((one) => one.fromMs < untilMs && one.fromMs + one.tookMs > fromMs && one.tookMs >= 1)
    .map(({ kind, tookMs }) => `gc ${gcKinds[kind] ?? kind} ${tookMs.toFixed(1)} ms`);
}

function timedSamples({ startTime, samples = [], timeDeltas = [] }: Profiler.Profile): { atMs: number; node: number }[] {
  let atUs = startTime;
  return samples.map((node, index) => {
    atUs += timeDeltas[index] ?? 0;
    return { atMs: atUs / 1000, node };
  });
}

function firstAfter(samples: readonly { readonly atMs: number }[], ms: number): number {
  let [low, high] = [0, samples.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((samples[middle] as { atMs: number }).atMs < ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Returns the innermost function of ours on the stack of a node, with the function it called if that is not ours. */
function places({ nodes }: Profiler.Profile): (id: number) => string {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
  const nameOf = ({ callFrame: { functionName, url, lineNumber } }: Profiler.ProfileNode) =>
    `${functionName || "(anonymous)"} ${url.slice(url.lastIndexOf("/") + 1)}${url === "" ? "" : `:${lineNumber + 1}`}`.trim();
  return (id) => {
    const leaf = byId.get(id) as Profiler.ProfileNode;
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const node = byId.get(at) as Profiler.ProfileNode;
      if (/\/src\//.test(node.callFrame.url) && !/node_modules/.test(node.callFrame.url)) {
        return node === leaf ? nameOf(node) : `${nameOf(node)} > ${nameOf(leaf)}`;
      }
    }
    return nameOf(leaf);
  };
}
