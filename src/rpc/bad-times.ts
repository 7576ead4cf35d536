import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { FieldViolation } from "../error/failure.ts";

/** The times of a message, and of messages within it, that lie outside the years 1 to 9999. */
export type FindBadTimes = (message: Message | undefined) => FieldViolation[];

const minSeconds = -62_135_596_800n;
const maxSeconds = 253_402_300_799n;
const maxNanos = 999_999_999;

/** Compiles the look at the times. JSON has no others, so that its reader refuses them; the binary format takes any number. */
export function compileBadTimes(schema: DescMessage, path = ""): FindBadTimes {
  const finders = schema.fields.flatMap((field): FindBadTimes[] => {
    if (field.fieldKind !== "message") return [];
    const name = path + field.name;
    const isTime = field.message.typeName === "google.protobuf.Timestamp";
    if (!isTime && field.message.typeName.startsWith("google.protobuf.")) return [];
    const find = isTime ? findBadTime(name) : compileBadTimes(field.message, `${name}.`);
    return [(message) => find((message as unknown as Record<string, Message | undefined>)[field.localName])];
  });
  return (message) => (message === undefined ? [] : finders.flatMap((find) => find(message)));
}

/** Whether google.protobuf.Timestamp may hold it. */
export function isTimestamp({ seconds, nanos }: Pick<Timestamp, "seconds" | "nanos">): boolean {
  return seconds >= minSeconds && seconds <= maxSeconds && nanos >= 0 && nanos <= maxNanos;
}

function findBadTime(field: string): FindBadTimes {
  const violation = { field, description: "must be in the years 1 to 9999" };
  return (message) => (message === undefined || isTimestamp(message as Timestamp) ? [] : [violation]);
}
