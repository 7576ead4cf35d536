import { performance } from "node:perf_hooks";
import { UnusableServerError } from "./failures.ts";

/**
 * Returns the promise's outcome, or rejects after `timeoutMs`. Time in which this process could not run does not count, so that a pause of
 * ours is not mistaken for silence of the server: a timer that fires late gets half as much time again, and data that already waits on a
 * socket is read first.
 */
export function withTimeout<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const dueMs = performance.now() + timeoutMs;
    let again = true;
    const expire = () => {
      if (again && performance.now() - dueMs > timeoutMs / 2) {
        again = false;
        timer = setTimeout(expire, timeoutMs / 2);
      } else {
        setImmediate(() => reject(new UnusableServerError("no answer in time")));
      }
    };
    let timer = setTimeout(expire, timeoutMs);
    work.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
