import type { CacheLevel, CacheOutcome, ObserveRead } from "../../cache/reading.ts";
import type { CredentialKind } from "../../core/credential-shape.ts";
import type { RefusalCode } from "../../core/verdict.ts";
import { memoized } from "../../memoized.ts";
import type { ObserveMessages } from "../../observed/shared-cache.ts";
import type { ObserveVerifications } from "../../observed/verify.ts";
import type { CacheGeneration } from "../../ports/cache-generation.ts";
import type { Metrics } from "./metrics.ts";

export function countReads({ cacheReads }: Metrics): ObserveRead {
  const seriesOf = memoized((level: CacheLevel) => memoized((outcome: CacheOutcome) => cacheReads.of(level, outcome)));
  return (level, outcome) => {
    seriesOf(level)(outcome).value += 1;
  };
}

export function countVerifications({ verifications, batchSize }: Metrics): ObserveVerifications {
  const seriesOf = memoized((kind: CredentialKind) => memoized((outcome: "valid" | RefusalCode) => verifications.of(kind, outcome)));
  const sizes = batchSize.of();
  return {
    one(kind, outcome) {
      seriesOf(kind)(outcome).value += 1;
    },
    batch: (size) => sizes.observe(size),
  };
}

export function countMessages(metrics: Metrics): ObserveMessages {
  const [delay, changes, gaps] = [metrics.invalidationDelay.of(), metrics.cacheChangesHeard.of(), metrics.cacheGaps.of()];
  return {
    beat: (delayMs) => delay.observe(delayMs / 1000),
    change() {
      changes.value += 1;
    },
    gap() {
      gaps.value += 1;
    },
  };
}

export function countGenerations(metrics: Metrics): (generation: CacheGeneration) => void {
  const [current, changes] = [metrics.cacheGeneration.of(), metrics.cacheGenerationChanges.of()];
  let known: number | null = null;
  return ({ number }) => {
    if (known !== null && known !== number) changes.value += 1;
    known = number;
    current.value = number;
  };
}
