import type { Reporter, TestCase, TestModule } from "vitest/node";

type TestError = NonNullable<ReturnType<TestCase["result"]>["errors"]>[number];

/**
 * Lists skipped tests and tests that passed only in a retry, with what failed before, and prints the closing line that CI reads: `N passed, N failed, N skipped`. A
 * file that fails to load counts as one failure.
 */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const inState = (state: string) => tests.filter((test) => test.result().state === state);
    const [passed, failedTests] = [inState("passed"), inState("failed")];
    const skipped = tests.filter((test) => !passed.includes(test) && !failedTests.includes(test));
    const failed = failedTests.length + unhandledErrors.length + modules.reduce((sum, module) => sum + module.errors().length, 0);
    list("Skipped", skipped);
    list(
      "Retried",
      tests.filter((test) => (test.diagnostic()?.retryCount ?? 0) > 0),
    );
    console.info(`\n${passed.length} passed, ${failed} failed, ${skipped.length} skipped`);
    if (passed.length + failed === 0) process.exitCode = 1;
  }
}

function list(title: string, tests: readonly TestCase[]): void {
  if (tests.length === 0) return;
  console.info(`\n${title}:`);
  for (const test of tests) {
    const { state, errors = [] } = test.result();
    console.info(`  ${test.project.name} ${test.module.relativeModuleId} > ${test.fullName}: ${state}`);
    // Vitest shows the errors of failed tests only.
    if (state === "passed") for (const { message, stacks } of errors) console.info(`    ${message} (${placeOf(stacks)})`);
  }
}

function placeOf(stacks: TestError["stacks"]): string {
  const [frame] = stacks ?? [];
  return frame === undefined ? "unknown place" : `${frame.file}:${frame.line}`;
}
