/** Scopes as they are kept: a set in the order in which they were given. One that is given twice counts once. */
export function scopeSet(scopes: readonly string[]): readonly string[] {
  return [...new Set(scopes)];
}
