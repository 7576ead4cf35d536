/** How many cases a property is tried with: by default, or as many times more as KEYWRIGHT_TEST_RUNS says. */
export function runCount(byDefault: number): number {
  return byDefault * Number(process.env.KEYWRIGHT_TEST_RUNS ?? 1);
}
