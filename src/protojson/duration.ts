/**
 * Human-readable durations, computed exactly, in integers:
 *
 *     Duration = [ "+" | "-" ] ( "0" | Part { Part } ) ;
 *     Part     = ( Digits [ "." [ Digits ] ] | "." Digits ) Unit ;
 *     Unit     = "ns" | "us" | "µs" | "μs" | "ms" | "s" | "m" | "h" | "d" | "w" | "mo" | "y" ;
 *
 * which is Go's time.ParseDuration plus days, weeks, months of 30 days and years of 365 days. The JSON form of
 * google.protobuf.Duration (`3600s`, `1.5s`) is among them.
 */
const nanosPerSecond = 1_000_000_000n;
const nanosPerUnit: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: nanosPerSecond,
  m: 60n * nanosPerSecond,
  h: 3_600n * nanosPerSecond,
  d: 86_400n * nanosPerSecond,
  w: 7n * 86_400n * nanosPerSecond,
  mo: 30n * 86_400n * nanosPerSecond,
  y: 365n * 86_400n * nanosPerSecond,
};

/** Bounds of google.protobuf.Duration, in both directions: 10000 years and the last nanosecond of that second. */
const maxNanos = 315_576_000_000n * nanosPerSecond + (nanosPerSecond - 1n);
const maxLength = 64;
const whole = /^[-+]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|mo|s|m|h|d|w|y))+)$/;
const part = /(\d*)\.?(\d*)(ns|us|µs|μs|ms|mo|s|m|h|d|w|y)/g;
const protobufForm = /^-?\d{1,12}(?:\.\d{1,9})?s$/;

/**
 * Returns nanoseconds, or undefined if the text is not a duration, does not fit google.protobuf.Duration, or is finer than a nanosecond.
 */
export function parseDurationNanos(text: string): bigint | undefined {
  if (text.length > maxLength || !whole.test(text)) return undefined;
  let sumNanos = 0n;
  for (const [, integer = "", fraction = "", unit = ""] of text.matchAll(part)) {
    const scale = 10n ** BigInt(fraction.length);
    const scaledNanos = BigInt(integer + fraction) * (nanosPerUnit[unit] as bigint);
    if (scaledNanos % scale !== 0n) return undefined;
    sumNanos += scaledNanos / scale;
  }
  if (sumNanos > maxNanos) return undefined;
  return text.startsWith("-") ? -sumNanos : sumNanos;
}

/** Returns the JSON form of google.protobuf.Duration, or undefined as parseDurationNanos does. */
export function protobufDuration(text: string): string | undefined {
  if (protobufForm.test(text)) return text;
  const nanos = parseDurationNanos(text);
  if (nanos === undefined) return undefined;
  const magnitude = nanos < 0n ? -nanos : nanos;
  const fraction = magnitude % nanosPerSecond;
  const digits = fraction === 0n ? "" : `.${fraction.toString().padStart(9, "0")}`;
  return `${nanos < 0n ? "-" : ""}${magnitude / nanosPerSecond}${digits}s`;
}
