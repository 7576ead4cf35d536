/** Runs `work` and follows it: how long it takes, and whether it fails. `hasFailed` is for work that answers so instead of rejecting. */
export type Observe = <T>(operation: string, work: () => Promise<T>, hasFailed?: (answer: T) => boolean) => Promise<T>;

/** Observes by one around the other. */
export function observeByBoth(one: Observe, other: Observe): Observe {
  return (operation, work, hasFailed) => one(operation, () => other(operation, work, hasFailed), hasFailed);
}
