/**
 * What a start with its server secrets is to a store:
 *
 * - `accepted`: the store knows the current secret, or has no keys that could be lost.
 * - `added`: it has keys, and knew no secret or a retired one. Now it knows the current one too.
 * - `older`: like these, but the secret that became current last is neither current nor retired, so its keys are not found. The next start
 *   without it is `older` again.
 * - `replaced`: it knew other secrets, but has no keys that could be lost.
 * - `refused`: it knows other secrets, and has keys.
 */
export type SecretAcceptance = "accepted" | "added" | "older" | "replaced" | "refused";

export interface SecretMarks {
  readonly current: string;
  readonly retired: readonly string[];
}

/** Returns also the marks that the store keeps from now on. `known` is in the order in which the secrets became current; null: none yet. */
export function judgeSecrets(
  known: readonly string[] | null,
  { current, retired }: SecretMarks,
  hasKeys: boolean,
): { readonly acceptance: SecretAcceptance; readonly marks: readonly string[] } {
  const given = [...retired, current];
  const isKnown = known?.some((mark) => given.includes(mark)) === true;
  if (!hasKeys) return { acceptance: known === null || isKnown ? "accepted" : "replaced", marks: given };
  if (known === null) return { acceptance: "added", marks: given };
  if (!isKnown) return { acceptance: "refused", marks: known };
  const last = known.at(-1) as string;
  const others = known.filter((mark) => mark !== current);
  if (!given.includes(last)) return { acceptance: "older", marks: [...others.slice(0, -1), current, last] };
  return { acceptance: known.includes(current) ? "accepted" : "added", marks: [...others, current] };
}
