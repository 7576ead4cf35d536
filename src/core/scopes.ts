/** The scopes as a key stores them: without duplicates, in the order in which they were given. */
export function scopeSet(scopes: readonly string[]): readonly string[] {
  return [...new Set(scopes)];
}
