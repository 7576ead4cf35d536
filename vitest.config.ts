import { defineConfig } from "vitest/config";

/** The operations are tested on both stores: on SQLite with everything else, and once more on MongoDB and Redis. */
export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 90_000,
    // Tests of real processes, elections and failovers share two cores with others' work; what fails three times is broken.
    retry: process.env.CI === undefined ? 0 : 2,
    reporters: ["default", "./test/support/count-reporter.ts"],
    projects: [
      { extends: true, test: { name: "sqlite", include: ["test/**/*.test.ts"], sequence: { groupOrder: 1 } } },
      {
        extends: true,
        test: {
          name: "mongodb",
          // What its global set-up puts into the environment reaches the other project's workers too; this does not.
          env: { KEYWRIGHT_TEST_PROJECT: "mongodb" },
          include: ["test/rpc/**/*.test.ts", "test/protocol/{matrix,rest,rest-errors,rest-headers}.test.ts"],
          globalSetup: "./test/support/mongodb-project.ts",
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
