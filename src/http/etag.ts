/** Reports whether If-None-Match names the tag. A weak tag matches its strong one there (RFC 9110, section 13.1.2). */
export function isNamedIn(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const plain = withoutWeakness(etag);
  return ifNoneMatch.split(",").some((tag) => tag.trim() === "*" || withoutWeakness(tag.trim()) === plain);
}

function withoutWeakness(tag: string): string {
  return tag.replace(/^W\//, "");
}
