/** Runs the work after this time, unless the process ends before. */
export function schedule(delayMs: number, work: () => void): void {
  setTimeout(work, delayMs).unref();
}
