import type { MetricFamily } from "../telemetry/metrics/exposition.ts";

/** What the primary tells a worker. */
export type ToWorker =
  /** Finish the calls in progress and end. */
  | { readonly kind: "close" }
  /** Read tokens, issuers and roles again. */
  | { readonly kind: "reload" }
  /** Send the metrics, with the same id. */
  | { readonly kind: "scrape"; readonly id: number };

/** What a worker tells the primary. */
export type ToPrimary =
  /** It accepts connections. */
  | { readonly kind: "serving"; readonly url: string }
  /** Its metrics now. `id` is null for the last ones, which it sends before it ends. */
  | { readonly kind: "metrics"; readonly id: number | null; readonly families: readonly MetricFamily[] };
