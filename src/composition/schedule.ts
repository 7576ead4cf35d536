/** Runs the work after this time, unless the process ends before. */
export function schedule(delayMs: number, work: () => void): void {
  setTimeout(work, delayMs).unref();
}

/** The same; returns a function that cancels it. */
export function startTimer(delayMs: number, work: () => void): () => void {
  const timer = setTimeout(work, delayMs).unref();
  return () => clearTimeout(timer);
}
