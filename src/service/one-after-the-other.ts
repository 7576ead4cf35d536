/** Runs the work for each call, never twice at the same time. Calls while a run is in progress share the next one. */
export function oneAfterTheOther(work: () => Promise<void>): () => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  let next: Promise<void> | null = null;
  return () => {
    next ??= last.then(() => {
      next = null;
      return work();
    });
    last = next.catch(() => {});
    return next;
  };
}
