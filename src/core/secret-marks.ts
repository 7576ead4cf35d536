/** What the marks of a store, in the order in which their secrets became current last, say about the secrets of a start. */
export type KnownSecret = "accepted" | "added" | "older";

/** Returns null if the store has none of these marks. */
export function judgeSecret(marks: readonly string[], current: string, retired: readonly string[]): KnownSecret | null {
  const secrets = [current, ...retired];
  if (!secrets.some((mark) => marks.includes(mark))) return null;
  if (!secrets.includes(marks.at(-1) as string)) return "older";
  return marks.includes(current) ? "accepted" : "added";
}
