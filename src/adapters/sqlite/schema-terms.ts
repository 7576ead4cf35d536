/** The terms of keys in SQL, as core's `termsOf` says them. Released steps of the schema use them: never edit them. */
export const isShortText = "json_each.type = 'text' AND length(json_each.value) BETWEEN 1 AND 256";
export const isPlainName = "length(json_each.key) BETWEEN 1 AND 64 AND json_each.key NOT GLOB '*[^A-Za-z0-9_]*'";

/** Selects the terms of one row, `NEW` or `OLD` of a trigger. */
export function termsSql(row: string): string {
  return `SELECT 's:' || value AS term FROM json_each(${row}.scopes) WHERE ${isShortText}
    UNION SELECT 'm:' || key || '=' || value FROM json_each(${row}.metadata) WHERE ${isShortText} AND ${isPlainName}`;
}

export const deleteTermsSql = `DELETE FROM key_terms
      WHERE tenant = OLD.tenant AND kind = OLD.kind AND key_id = OLD.key_id AND term IN (${termsSql("OLD")});`;
