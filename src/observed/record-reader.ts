import type { RecordReader } from "../cache/record-reader.ts";

/** Runs `work` and observes it. `outcomeOf` returns one word for the outcome. */
export type ObserveReading = <T>(operation: string, work: () => Promise<T>, outcomeOf: (answer: T) => string) => Promise<T>;

/** Observes a look-up through the caches as one operation, around those on the shared cache and the store. */
export function observedReader(reader: RecordReader, observe: ObserveReading): RecordReader {
  return {
    read: (...given) =>
      observe(
        "read",
        async () => reader.read(...given),
        ({ outcome }) => outcome,
      ),
    readMany: (...given) =>
      observe(
        "read_many",
        () => reader.readMany(...given),
        (answers) => (answers.every((answer) => answer.status === "fulfilled" && answer.value.outcome === "hit") ? "hit" : "miss"),
      ),
  };
}
