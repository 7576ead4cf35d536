/**
 * Matches the patterns of the contract for protovalidate, with the engine of the platform: the RE2 in JavaScript takes many times as long
 * (see bench/micro.ts). The engine of the platform can take exponential time on some patterns. A test checks that the contract has no such
 * pattern.
 */
export function createPatternMatcher(): (pattern: string, text: string) => boolean {
  const compiled = new Map<string, RegExp>();
  return (pattern, text) => {
    let expression = compiled.get(pattern);
    if (expression === undefined) {
      expression = new RegExp(pattern, "u");
      compiled.set(pattern, expression);
    }
    return expression.test(text);
  };
}
