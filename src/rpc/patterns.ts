/**
 * Matches the patterns of the contract with the platform's own engine, for protovalidate: its RE2 in JavaScript takes ten times as long. That engine
 * can be made to backtrack for ever by some patterns; those of the contract are not among them, which a test holds.
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
