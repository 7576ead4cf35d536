import { Malformed } from "./parsers.ts";

/** Milliseconds. A month is 30 days and a year 365, as the API counts them. */
const unitsMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  mo: 2_592_000_000,
  y: 31_536_000_000,
};

/** A duration between two bounds, in ms: numbers with units, one after the other: `90s`, `1h30m`, `1.5h`, `30d`. */
export function duration(minMs: number, maxMs: number): (text: string) => number {
  return (text) => {
    if (!/^(\d{1,12}(\.\d{1,9})?(ms|mo|s|m|h|d|w|y))+$/.test(text)) throw new Malformed("must be a duration such as 90s, 1h30m or 30d");
    let sumMs = 0;
    for (const [, amount, unit = ""] of text.matchAll(/([\d.]+)([a-z]+)/g)) sumMs += Number(amount) * (unitsMs[unit] ?? Number.NaN);
    const roundedMs = Math.round(sumMs);
    if (roundedMs < minMs || roundedMs > maxMs) throw new Malformed(`must be from ${minMs / 1000}s to ${maxMs / 1000}s`);
    return roundedMs;
  };
}
