import { Failure } from "../../src/error/failure.ts";

/** What work results in, to compare two ways to do it. A failure is a part of the outcome, other errors are not. */
export async function outcomeOf(work: () => unknown): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { reason: error.reason, message: error.message, violations: error.violations };
  }
}
