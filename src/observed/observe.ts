/** Runs `work` and follows it: how long it takes, and whether it fails. `hasFailed` is for work that answers so instead of rejecting. */
export type Observe = <T>(operation: string, work: () => Promise<T>, hasFailed?: (answer: T) => boolean) => Promise<T>;

/** Observes by each, the first of the list outermost. */
export function observeByAll(observers: readonly Observe[]): Observe {
  return (operation, work, hasFailed) =>
    observers.reduceRight<typeof work>((inner, observe) => () => observe(operation, inner, hasFailed), work)();
}
