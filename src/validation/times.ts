import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import type { FieldViolation } from "../error/failure.ts";

/** The timestamps in a message, and in messages inside it, outside the years 1 to 9999, and the durations that are out of range. */
export type FindBadTimes = (message: Message | undefined) => FieldViolation[];

const minSeconds = -62_135_596_800n;
const maxSeconds = 253_402_300_799n;
const maxNanos = 999_999_999;
/** About 10,000 years. */
const maxDurationSeconds = 315_576_000_000n;

/** Compiles the check. The JSON reader refuses such times itself, but the binary format can contain any number. */
export function compileTimeCheck(schema: DescMessage, path = ""): FindBadTimes {
  const finders = schema.fields.flatMap((field): FindBadTimes[] => {
    if (field.fieldKind !== "message") return [];
    const name = path + field.name;
    const { typeName } = field.message;
    const find =
      finderOf(typeName, name) ?? (typeName.startsWith("google.protobuf.") ? undefined : compileTimeCheck(field.message, `${name}.`));
    if (find === undefined) return [];
    return [(message) => find((message as unknown as Record<string, Message | undefined>)[field.localName])];
  });
  return (message) => (message === undefined ? [] : finders.flatMap((find) => find(message)));
}

/** Returns whether google.protobuf.Timestamp can represent it. */
export function isTimestamp({ seconds, nanos }: Pick<Timestamp, "seconds" | "nanos">): boolean {
  return seconds >= minSeconds && seconds <= maxSeconds && nanos >= 0 && nanos <= maxNanos;
}

/** Returns whether google.protobuf.Duration can represent it. */
function isDuration({ seconds, nanos }: Duration): boolean {
  const isSigned = (seconds >= 0n && nanos >= 0) || (seconds <= 0n && nanos <= 0);
  return isSigned && seconds >= -maxDurationSeconds && seconds <= maxDurationSeconds && Math.abs(nanos) <= maxNanos;
}

function finderOf(typeName: string, field: string): FindBadTimes | undefined {
  if (typeName === "google.protobuf.Timestamp") {
    const violation = { field, description: "must be in the years 1 to 9999" };
    return (message) => (message === undefined || isTimestamp(message as Timestamp) ? [] : [violation]);
  }
  if (typeName !== "google.protobuf.Duration") return undefined;
  const violation = {
    field,
    description: `must have at most ${maxDurationSeconds} seconds, and nanos of the same sign that are less than a second`,
  };
  return (message) => (message === undefined || isDuration(message as Duration) ? [] : [violation]);
}
