import type { KeyRecord } from "./key.ts";

/** Maximum length of an indexed value. A filter by a longer value is refused. */
export const maxTermLength = 256;

const namePattern = /^[A-Za-z0-9_]{1,64}$/;

/** Reports whether a member of the metadata with this name is indexed. */
export function isTermName(name: string): boolean {
  return namePattern.test(name);
}

/** Reports whether this text is indexed. Counts characters, not code units, as SQLite does. */
export function isTermValue(value: string): boolean {
  if (value === "" || value.length > 2 * maxTermLength || value.includes("\0")) return false;
  return value.length <= maxTermLength || [...value].length <= maxTermLength;
}

export function scopeTerm(scope: string): string {
  return `s:${scope}`;
}

export function metadataTerm(member: string, value: string): string {
  return `m:${member}=${value}`;
}

/**
 * The terms by which an index finds a key: its scopes, and the texts in the outermost object of its metadata. Their number is bounded,
 * because a key has at most 100 scopes and metadata is at most 4096 bytes.
 */
export function termsOf({ scopes, metadata }: Pick<KeyRecord, "scopes" | "metadata">): string[] {
  const terms: string[] = [];
  for (const scope of new Set(scopes)) if (isTermValue(scope)) terms.push(scopeTerm(scope));
  for (const name in metadata) {
    const value = metadata[name];
    if (typeof value === "string" && Object.hasOwn(metadata, name) && isTermName(name) && isTermValue(value))
      terms.push(metadataTerm(name, value));
  }
  return terms;
}
