import { defineConfig } from "vitest/config";

/**
 * `npm run witnesses`: programs of others read gen/openapi.json and use the server by it. They take minutes and fetch a browser, so `npm test`
 * does not run them.
 */
export default defineConfig({
  test: {
    include: ["test/witnesses/**/*.witness.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 900_000,
    hookTimeout: 600_000,
    reporters: ["default", "./test/support/count-reporter.ts"],
  },
});
