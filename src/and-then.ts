/**
 * Applies `next` to a value: at once, or when its promise has it. So a call that needs nothing from outside of the process ends in the
 * turn of the event loop in which it began, without promises.
 */
export function andThen<T, R>(value: T | Promise<T>, next: (value: T) => R | Promise<R>): R | Promise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
