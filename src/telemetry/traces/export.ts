import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { TraceContext } from "../../call/trace-context.ts";
import { createOutageLog, type OutageLog } from "../../outage-log.ts";
import type { Log } from "../../ports/log.ts";
import type { TraceSettings } from "./settings.ts";

export interface ExportOptions {
  readonly settings: TraceSettings;
  readonly version: string;
  readonly log: Pick<Log, "info" | "warn">;
  readonly monotonicMs: () => number;
  /** Called with the outcome of every batch. */
  readonly onExport: (outcome: "sent" | "lost", spanCount: number) => void;
}

/** A tracer provider that sends spans by OTLP in batches: its queue is bounded, and further spans are dropped. */
export function createProvider({ settings, version, log, monotonicMs, onExport }: ExportOptions): TracerProvider {
  const outage = createOutageLog(log, monotonicMs);
  const ours = resourceFromAttributes({ "service.name": "keywright", "service.version": version });
  return new TracerProvider({
    resource: defaultResource()
      .merge(ours)
      .merge(detectResources({ detectors: [envDetector] })),
    sampler: createSampler(settings.sampler),
    spanProcessors: [new BatchSpanProcessor({ ...settings.batch, exporter: reported(new OTLPTraceExporter(), outage, onExport) })],
  });
}

/**
 * isChosen has already sampled the start of a new trace. These samplers decide for spans that continue a caller's trace and for parts of a
 * call.
 */
function createSampler({ root, ratio, followsParent }: TraceSettings["sampler"]): Sampler {
  if (followsParent) return new ParentBasedSampler({ root: new AlwaysOnSampler() });
  const ofCallers = root === "traceidratio" ? new TraceIdRatioBasedSampler(ratio) : new AlwaysOnSampler();
  return new ParentBasedSampler({ root: new AlwaysOnSampler(), remoteParentSampled: ofCallers, remoteParentNotSampled: ofCallers });
}

/**
 * Returns whether to start a span for a call. The SDK would generate ids first, also for spans that are not sampled (bench/micro.ts).
 * Without a caller's trace the id is random, so a random number has the same effect.
 */
export function isChosen({ root, ratio, followsParent }: TraceSettings["sampler"], caller: TraceContext | undefined): boolean {
  if (caller === undefined) return root === "always_on" || (root === "traceidratio" && Math.random() < ratio);
  return followsParent ? caller.isSampled : root !== "always_off";
}

/** Never logs the collector's answer or our request, because both may contain text that must not be logged. */
function reported(exporter: SpanExporter, outage: OutageLog, onExport: ExportOptions["onExport"]): SpanExporter {
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const { error } = result;
        onExport(error === undefined ? "sent" : "lost", spans.length);
        if (error === undefined) outage.over({}, "the trace collector accepts spans again");
        else outage.failed({ reason: describe(error) }, "the trace collector does not accept spans; dropping them");
        done(result);
      });
    },
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  };
}

function describe(error: Error): string {
  const { code } = error as { readonly code?: unknown };
  return typeof code === "string" || typeof code === "number" ? String(code) : error.name;
}
