import { beforeAll, beforeEach } from "vitest";

/**
 * Fetches what the tests of a file or a `describe` need. If that fails, they are skipped with the reason; in CI it is an error. Returns
 * what was fetched, or undefined before that.
 */
export function needs<T>(fetch: () => Promise<T>): () => T {
  let found: T | undefined;
  let reason = "";
  beforeAll(async () => {
    try {
      found = await fetch();
    } catch (error) {
      if (process.env.CI !== undefined) throw error;
      reason = (error as Error).message.trim().split("\n").slice(-3).join("\n");
    }
  });
  beforeEach(({ skip }) => {
    if (found === undefined) skip(`cannot be fetched: ${reason}`);
  });
  return () => found as T;
}
