import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { FieldViolation } from "../error/failure.ts";

/** The timestamps in a message, and in messages inside it, outside the years 1 to 9999. */
export type FindBadTimestamps = (message: Message | undefined) => FieldViolation[];

const minSeconds = -62_135_596_800n;
const maxSeconds = 253_402_300_799n;
const maxNanos = 999_999_999;

/** Compiles the check. The JSON reader refuses such timestamps itself, but the binary format can contain any number. */
export function compileTimestampCheck(schema: DescMessage, path = ""): FindBadTimestamps {
  const finders = schema.fields.flatMap((field): FindBadTimestamps[] => {
    if (field.fieldKind !== "message") return [];
    const name = path + field.name;
    const isTimestampField = field.message.typeName === "google.protobuf.Timestamp";
    if (!isTimestampField && field.message.typeName.startsWith("google.protobuf.")) return [];
    const find = isTimestampField ? findBadTimestamp(name) : compileTimestampCheck(field.message, `${name}.`);
    return [(message) => find((message as unknown as Record<string, Message | undefined>)[field.localName])];
  });
  return (message) => (message === undefined ? [] : finders.flatMap((find) => find(message)));
}

/** Returns whether google.protobuf.Timestamp can represent it. */
export function isTimestamp({ seconds, nanos }: Pick<Timestamp, "seconds" | "nanos">): boolean {
  return seconds >= minSeconds && seconds <= maxSeconds && nanos >= 0 && nanos <= maxNanos;
}

function findBadTimestamp(field: string): FindBadTimestamps {
  const violation = { field, description: "must be in the years 1 to 9999" };
  return (message) => (message === undefined || isTimestamp(message as Timestamp) ? [] : [violation]);
}
