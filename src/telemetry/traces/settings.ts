/** The environment variables of OpenTelemetry that the trace SDK does not read by itself. The exporter reads the others. */
export interface TraceSettings {
  readonly sampler: { readonly root: "always_on" | "always_off" | "traceidratio"; readonly ratio: number; readonly followsParent: boolean };
  /** Undefined means the SDK's default. */
  readonly batch: {
    readonly scheduledDelayMillis: number | undefined;
    readonly exportTimeoutMillis: number | undefined;
    readonly maxQueueSize: number | undefined;
    readonly maxExportBatchSize: number | undefined;
  };
  /** Warnings about unsupported values, which are ignored, as OpenTelemetry specifies. */
  readonly warnings: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

const samplers: Readonly<Record<string, Omit<TraceSettings["sampler"], "ratio">>> = {
  always_on: { root: "always_on", followsParent: false },
  always_off: { root: "always_off", followsParent: false },
  traceidratio: { root: "traceidratio", followsParent: false },
  parentbased_always_on: { root: "always_on", followsParent: true },
  parentbased_always_off: { root: "always_off", followsParent: true },
  parentbased_traceidratio: { root: "traceidratio", followsParent: true },
};

/** Null if traces are off: no endpoint is set, or they are disabled. */
export function traceSettings(environment: Environment): TraceSettings | null {
  const given = (name: string) => environment[name]?.trim() || undefined;
  const hasEndpoint = given("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") ?? given("OTEL_EXPORTER_OTLP_ENDPOINT");
  const exporter = given("OTEL_TRACES_EXPORTER") ?? "otlp";
  if (hasEndpoint === undefined || exporter === "none" || given("OTEL_SDK_DISABLED")?.toLowerCase() === "true") return null;

  const warnings: string[] = [];
  const protocolName =
    given("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") === undefined ? "OTEL_EXPORTER_OTLP_PROTOCOL" : "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL";
  if (exporter !== "otlp") warnings.push("OTEL_TRACES_EXPORTER: only otlp is supported");
  if ((given(protocolName) ?? "http/protobuf") !== "http/protobuf") warnings.push(`${protocolName}: only http/protobuf is supported`);

  const samplerName = given("OTEL_TRACES_SAMPLER") ?? "parentbased_always_on";
  const sampler = samplers[samplerName];
  if (sampler === undefined)
    warnings.push(`OTEL_TRACES_SAMPLER: must be ${Object.keys(samplers).join(", ")}; parentbased_always_on is used`);
  const ratioText = given("OTEL_TRACES_SAMPLER_ARG");
  const ratio = Number(ratioText ?? 1);
  const isRatio = ratio >= 0 && ratio <= 1;
  if (!isRatio) warnings.push("OTEL_TRACES_SAMPLER_ARG: must be a number from 0 to 1; 1 is used");

  const count = (name: string): number | undefined => {
    const text = given(name);
    if (text === undefined) return undefined;
    if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
    warnings.push(`${name}: must be a whole number above 0; the default is used`);
    return undefined;
  };
  return {
    sampler: { ...(sampler ?? { root: "always_on", followsParent: true }), ratio: isRatio ? ratio : 1 },
    batch: {
      scheduledDelayMillis: count("OTEL_BSP_SCHEDULE_DELAY"),
      exportTimeoutMillis: count("OTEL_BSP_EXPORT_TIMEOUT"),
      maxQueueSize: count("OTEL_BSP_MAX_QUEUE_SIZE"),
      maxExportBatchSize: count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE"),
    },
    warnings,
  };
}
