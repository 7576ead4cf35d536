import { AlwaysOffSampler, TracerProvider } from "@opentelemetry/sdk-trace";
import { Failure } from "../../src/error/failure.ts";
import { createLog, type LogDestination } from "../../src/telemetry/log.ts";
import { redactText } from "../../src/telemetry/redact.ts";
import { isChosen } from "../../src/telemetry/traces/export.ts";
import { report, title } from "./report.ts";

const fields = {
  requestId: "01JD3V9Q4N8R5X2T7B6C1A0ZYK",
  rpc: "AdminVerifyApiKey",
  protocol: "json-http",
  caller: "admin",
  code: "OK",
  durationMs: 0.2,
};
const text = "the request body is larger than 1048576 bytes";
const nowhere: LogDestination = { write: () => true } as unknown as LogDestination;

export function measureObservation(): void {
  title("errors, log lines, spans");
  report("an Error, ten calls deep", 20_000, () => deep(10, () => new Error(text)));
  report("a Failure, ten calls deep (failure.ts)", 20_000, () => deep(10, () => new Failure("INVALID_REQUEST", { message: text })));
  const log = createLog("info", nowhere);
  report("log line of a call (log-calls.ts)", 20_000, () => log.info(fields, "call"));
  report("redactText of a text without a credential (redact.ts)", 100_000, () => redactText(text));
  report("redactText of a text that must be searched", 100_000, () => redactText(`${text} basic`));
  const tracer = new TracerProvider({ sampler: new AlwaysOffSampler() }).getTracer("bench");
  report("a span that is not sampled, begun and ended", 50_000, () => tracer.startSpan("call").end());
  report("the choice beforehand (export.ts)", 200_000, () =>
    isChosen({ root: "traceidratio", ratio: 0.1, followsParent: false }, undefined),
  );
}

function deep<T>(calls: number, make: () => T): T {
  return calls === 0 ? make() : deep(calls - 1, make);
}
