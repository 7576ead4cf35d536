/** Number of cases for a property: the default, multiplied by KEYWRIGHT_TEST_RUNS if set. */
export function runCount(byDefault: number): number {
  return byDefault * Number(process.env.KEYWRIGHT_TEST_RUNS ?? 1);
}
