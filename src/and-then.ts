/**
 * Applies `next` to a value at once, or to the value of a promise when it resolves. A call that waits for nothing outside of the process
 * thus needs no promise, and ends in the turn of the event loop in which it began.
 */
export function andThen<T, R>(value: T | Promise<T>, next: (value: T) => R | Promise<R>): R | Promise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
