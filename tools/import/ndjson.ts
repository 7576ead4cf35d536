import { StoppedError } from "./problems.ts";
import { contentFromJson } from "./request-json.ts";
import { maxRowBytes, notUtf8, type Row, replacementCharacter } from "./rows.ts";

const newline = 0x0a;
const byteOrderMark = "\ufeff";

/** Reads rows of newline-delimited JSON in UTF-8: one ImportApiKeyRequest per line. Skips empty lines. */
export async function* readNdjson(chunks: AsyncIterable<Buffer>): AsyncGenerator<readonly Row[]> {
  let lines = 0;
  let rowCount = 0;
  let bytes = 0;
  let rest: Buffer = Buffer.alloc(0);

  const rowOf = (line: Buffer, lineBytes: number): Row[] => {
    lines += 1;
    bytes += lineBytes;
    let text = line.toString("utf8");
    if (lines === 1 && text.startsWith(byteOrderMark)) text = text.slice(1);
    if (text.trim() === "") return [];
    rowCount += 1;
    return [{ line: lines, end: { rows: rowCount, lines, bytes }, content: contentOf(text) }];
  };
  for await (const chunk of chunks) {
    const buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const rows: Row[] = [];
    let start = 0;
    for (let end = buffer.indexOf(newline); end !== -1; end = buffer.indexOf(newline, start)) {
      rows.push(...rowOf(buffer.subarray(start, end), end + 1 - start));
      start = end + 1;
    }
    rest = buffer.subarray(start);
    yield rows;
    if (rest.length > maxRowBytes) throw new StoppedError(`line ${lines + 1} is longer than ${maxRowBytes} bytes`);
  }
  if (rest.length > 0) yield rowOf(rest, rest.length);
}

function contentOf(text: string): Row["content"] {
  if (text.includes(replacementCharacter)) return { problem: notUtf8 };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // Omits the parser's message, because it quotes the line.
    return { problem: "is not valid JSON" };
  }
  return contentFromJson(json);
}
