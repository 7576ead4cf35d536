import type { MetricFamily } from "../telemetry/metrics/exposition.ts";

/** A message from the primary to a worker. */
export type ToWorker =
  /** Finish the calls in progress and exit. */
  | { readonly kind: "close" }
  /** Reload tokens, issuers and roles. */
  | { readonly kind: "reload" }
  /** Send the metrics, with the same id. */
  | { readonly kind: "scrape"; readonly id: number };

/** A message from a worker to the primary. */
export type ToPrimary =
  /** It accepts connections. */
  | { readonly kind: "serving"; readonly url: string }
  /** Its current metrics. `id` is null for the last ones, which it sends before it exits. */
  | { readonly kind: "metrics"; readonly id: number | null; readonly families: readonly MetricFamily[] };
