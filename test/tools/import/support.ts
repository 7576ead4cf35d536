import type { Row, RowReader } from "../../../tools/import/rows.ts";

/** Splits the text into pieces of this many bytes. */
export async function* pieces(text: string | Buffer, size = 7): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text as string);
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

export async function rowsOf(reader: RowReader, text: string | Buffer, size?: number): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const some of reader(pieces(text, size))) rows.push(...some);
  return rows;
}

/** Line, and raw key or problem, of each row. */
export function gist(rows: readonly Row[]): (readonly [number, string])[] {
  return rows.map(({ line, content }) => [line, "problem" in content ? content.problem : content.request.rawKey]);
}
