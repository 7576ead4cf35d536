import { type InfoRecord, parse } from "csv-parse";
import { columnsOf } from "./columns.ts";
import { StoppedError, UsageError } from "./problems.ts";
import { maxRowBytes, type Row } from "./rows.ts";

/** Texts by the parser's error codes. The parser's own messages quote the input. */
const problems: Readonly<Record<string, string>> = {
  CSV_INVALID_CLOSING_QUOTE: "something follows a closing quote (a quote inside a quoted field is written twice)",
  INVALID_OPENING_QUOTE: "a quote stands inside an unquoted field",
  CSV_MAX_RECORD_SIZE: `is longer than ${maxRowBytes} bytes: is a quote left open?`,
  CSV_QUOTE_NOT_CLOSED: "a quote is left open to the end of the input",
};

/**
 * Reads rows of CSV as in RFC 4180, in UTF-8 with or without a byte order mark, with lines that end in CRLF or LF. The first line names the
 * columns. Rejects with UsageError for an invalid header, and with StoppedError if quotes do not match.
 */
export async function* readCsv(chunks: AsyncIterable<Buffer>): AsyncGenerator<readonly Row[]> {
  let contentOf: ReturnType<typeof columnsOf> | undefined;
  let line = 1;
  let rowCount = 0;
  let rows: Row[] = [];
  let headerProblem: unknown;

  const onRecord = (cells: string[], { bytes }: InfoRecord): null => {
    const begins = line;
    line += 1;
    // The parser's own count counts CRLF inside quotes as two lines.
    for (const cell of cells) if (cell.includes("\n")) line += cell.split("\n").length - 1;
    if (headerProblem !== undefined || (cells.length === 1 && cells[0] === "")) return null;
    if (contentOf === undefined) {
      try {
        contentOf = columnsOf(cells);
      } catch (error) {
        headerProblem = error;
      }
      return null;
    }
    rowCount += 1;
    rows.push({ line: begins, end: { rows: rowCount, lines: line - 1, bytes }, content: contentOf(cells) });
    // Null, because rows are taken here, chunk by chunk; the parser's own stream would cost as much again as parsing.
    return null;
  };
  const parser = parse({
    bom: true,
    record_delimiter: ["\r\n", "\n"],
    relax_column_count: true,
    max_record_size: maxRowBytes,
    on_record: onRecord,
  });
  let parserError: unknown;
  parser.on("error", (error) => {
    parserError = error;
  });
  parser.resume();

  const taken = (): readonly Row[] => {
    if (headerProblem !== undefined) throw headerProblem;
    const whole = rows;
    rows = [];
    return whole;
  };
  for await (const chunk of chunks) {
    await new Promise<void>((written) => parser.write(chunk, () => written()));
    yield taken();
    if (parserError !== undefined) throw stopped(line, parserError);
  }
  await new Promise<void>((ended) => {
    parser.once("close", ended);
    parser.end();
  });
  yield taken();
  if (parserError !== undefined) throw stopped(line, parserError);
  if (contentOf === undefined) throw new UsageError("the input is empty: line 1 must name the columns");
}

function stopped(line: number, error: unknown): StoppedError {
  const { code = "" } = error as { code?: string };
  return new StoppedError(`the row that begins on line ${line}: ${problems[code] ?? "is not valid CSV"}`);
}
