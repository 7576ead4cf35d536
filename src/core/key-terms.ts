import type { KeyRecord } from "./key.ts";

/** Longer values are not indexed, and a filter by one is refused. */
export const maxTermLength = 256;

const namePattern = /^[A-Za-z0-9_]{1,64}$/;

/** Reports whether a member of the metadata with this name is indexed. */
export function isTermName(name: string): boolean {
  return namePattern.test(name);
}

/** Reports whether a text with this value is indexed. Characters are counted, not code units, as SQLite counts them. */
export function isTermValue(value: string): boolean {
  return value !== "" && value.length <= 2 * maxTermLength && !value.includes("\0") && [...value].length <= maxTermLength;
}

export function scopeTerm(scope: string): string {
  return `s:${scope}`;
}

export function metadataTerm(member: string, value: string): string {
  return `m:${member}=${value}`;
}

/**
 * The words by which an index finds a key: its scopes, and the texts in the outermost object of its metadata. A key has at most 100 scopes, and
 * metadata is at most 4096 bytes, so they are bounded.
 */
export function termsOf({ scopes, metadata }: Pick<KeyRecord, "scopes" | "metadata">): string[] {
  const terms = new Set(scopes.filter(isTermValue).map(scopeTerm));
  for (const [name, value] of Object.entries(metadata ?? {})) {
    if (typeof value === "string" && isTermName(name) && isTermValue(value)) terms.add(metadataTerm(name, value));
  }
  return [...terms];
}
