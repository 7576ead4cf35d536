import type { Reporter, TestModule } from "vitest/node";

/** Prints the closing line that CI reads: `N passed, N failed, N skipped`. A file that fails to load counts as one failure. */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    let passed = 0;
    let failed = unhandledErrors.length;
    let skipped = 0;
    for (const module of modules) {
      failed += module.errors().length;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === "passed") passed += 1;
        else if (state === "failed") failed += 1;
        else skipped += 1;
      }
    }
    console.info(`\n${passed} passed, ${failed} failed, ${skipped} skipped`);
    if (passed + failed === 0) process.exitCode = 1;
  }
}
