import type { RateLimitPolicy } from "../core/key.ts";
import { dayMs, secondMs } from "../core/time-units.ts";
import { duration } from "./duration.ts";
import { MalformedError } from "./parsers.ts";

const window = duration(secondMs, dayMs);

/** N per window, such as `1000/1m`. `none` sets no limit and returns null. */
export function rate(text: string): RateLimitPolicy | null {
  if (text === "none") return null;
  const [, quota = "", windowText = ""] = /^([1-9]\d{0,8})\/(.+)$/.exec(text) ?? [];
  if (quota === "") throw new MalformedError("must be none, or a number and a duration such as 1000/1m");
  return { quota: BigInt(quota), windowMs: window(windowText), unit: "requests" };
}
