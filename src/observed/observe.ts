/**
 * `operation` is a label of metrics and the name of a span: words in lower case, joined by underscores.
 *
 * Runs `work` and observes its duration and whether it fails. `hasFailed` is for work whose result can be a failure instead of a rejection.
 */
export type Observe = <T>(operation: Lowercase<string>, work: () => Promise<T>, hasFailed?: (answer: T) => boolean) => Promise<T>;

/** For servers whose failures are answers of null. */
export function isNull(answer: unknown): boolean {
  return answer === null;
}

/** Combines two observers: `outer` runs around `inner`. */
export function observeByBoth(one: Observe, other: Observe): Observe {
  return (operation, work, hasFailed) => one(operation, () => other(operation, work, hasFailed), hasFailed);
}
