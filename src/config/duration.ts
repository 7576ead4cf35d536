import { secondMs } from "../core/time-units.ts";
import { parseDurationNanos } from "../protojson/duration.ts";
import { MalformedError } from "./parsers.ts";

const nanosPerMs = 1_000_000n;

/** A duration between two bounds, in whole milliseconds, written as in the API: `90s`, `1h30m`, `30d`. */
export function duration(minMs: number, maxMs: number): (text: string) => number {
  return (text) => {
    const nanos = parseDurationNanos(text);
    if (nanos === undefined || nanos % nanosPerMs !== 0n) throw new MalformedError("must be a duration such as 90s, 1h30m or 30d");
    const milliseconds = Number(nanos / nanosPerMs);
    if (milliseconds < minMs || milliseconds > maxMs) throw new MalformedError(`must be from ${minMs / secondMs}s to ${maxMs / secondMs}s`);
    return milliseconds;
  };
}
