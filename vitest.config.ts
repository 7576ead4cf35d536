import { resolve } from "node:path";
import { defineConfig } from "vitest/config";
import { onMongo, processes, storeless, unit } from "./test/projects.ts";
import SlowestFirst from "./test/support/slowest-first.ts";

export default defineConfig({
  test: {
    pool: "forks",
    // Tests wait for processes and databases more than half of the time: four workers keep two cores busy.
    maxWorkers: 4,
    sequence: { sequencer: SlowestFirst },
    testTimeout: 60_000,
    hookTimeout: 90_000,
    // A condition that a test waits for comes late on a busy machine. Vitest's default is 1 s.
    expect: { poll: { timeout: 30_000 } },
    // Saves a third of the cost of each process that a test starts, because Node strips types and compiles once.
    env: { NODE_COMPILE_CACHE: resolve(import.meta.dirname, ".cache/compiled") },
    reporters: ["default", "./test/support/count-reporter.ts"],
    projects: [
      // Without `isolate`, the files of a worker share its modules: loading them for each file took half of the time of `unit`. No test replaces
      // a module, and no module of src/ keeps state.
      { extends: true, test: { name: "unit", include: [...unit], isolate: false, sequence: { groupOrder: 1 } } },
      {
        extends: true,
        test: {
          name: "servers",
          isolate: false,
          include: ["test/**/*.test.ts"],
          exclude: [...unit, ...processes],
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: "servers-mongodb",
          isolate: false,
          // Variables that its global set-up adds to the environment reach the workers of other projects too; this does not.
          env: { KEYWRIGHT_TEST_PROJECT: "servers-mongodb" },
          include: [...onMongo],
          exclude: [...unit, ...processes, ...storeless],
          globalSetup: "./test/support/mongodb-project.ts",
          sequence: { groupOrder: 3 },
        },
      },
      {
        extends: true,
        // Elections, kills and attacks share two cores with other work of the machine; a test that fails twice is broken.
        test: { name: "processes", include: [...processes], retry: 1, sequence: { groupOrder: 4 } },
      },
    ],
  },
});
