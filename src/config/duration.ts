import { parseDurationNanos } from "../protojson/duration.ts";
import { MalformedError } from "./parsers.ts";

/** A duration between two bounds, in whole milliseconds, written as in the API: `90s`, `1h30m`, `30d`. */
export function duration(minMs: number, maxMs: number): (text: string) => number {
  return (text) => {
    const nanos = parseDurationNanos(text);
    if (nanos === undefined || nanos % 1_000_000n !== 0n) throw new MalformedError("must be a duration such as 90s, 1h30m or 30d");
    const milliseconds = Number(nanos / 1_000_000n);
    if (milliseconds < minMs || milliseconds > maxMs) throw new MalformedError(`must be from ${minMs / 1000}s to ${maxMs / 1000}s`);
    return milliseconds;
  };
}
