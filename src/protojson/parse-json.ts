import { isUtf8 } from "node:buffer";
import { Failure, invalidRequest } from "../error/failure.ts";
import type { Turns } from "../turns.ts";
import { jsonErrorOffset, jsonErrorSteps } from "./json-position.ts";
import { beginScan, checkRest, type JsonList, type ScanOptions, scanJson, scanPart } from "./scan-json.ts";

/**
 * Parses the JSON text of a caller, with or without a byte order mark. Throws MALFORMED_BODY with the position of the error and no text of
 * the body. Throws INVALID_REQUEST for valid JSON that parsers read differently or that costs too much; see scanJson.
 */
export function parseJson(bytes: Uint8Array, options: ScanOptions): unknown {
  const text = textOf(bytes);
  const problems = scanJson(text, options);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw notJson(text, jsonErrorOffset(text));
  }
  if (problems.length > 0) throw invalidRequest(problems);
  return value;
}

/**
 * The same in several turns of the event loop, for long texts. Lists in the outermost object are parsed in parts. `charsPerStep` is about
 * how much is checked or parsed before the time is asked for.
 */
export async function parseJsonInTurns(bytes: Uint8Array, options: ScanOptions, turns: Turns, charsPerStep = 16 * 1024): Promise<unknown> {
  const text = textOf(bytes);
  const lists: JsonList[] = [];
  const scan = beginScan(text, options, lists);
  while (scan.at < text.length) {
    if (turns.isOver()) await turns.next();
    scanPart(scan, Math.min(text.length, scan.at + charsPerStep));
  }
  const longLists = lists.filter(({ start, end }) => end - start > charsPerStep);
  checkRest(scan, longLists);
  const parsePart = async <T>(part: string): Promise<T> => {
    if (turns.isOver()) await turns.next();
    try {
      return JSON.parse(part) as T;
    } catch {
      throw notJson(text, await errorOffsetInTurns(text, turns));
    }
  };
  const value = await parsePart<Record<string, unknown>>(withoutItems(text, longLists));
  for (const list of longLists) {
    for (const part of partsOf(list, charsPerStep)) {
      const items = await parsePart<unknown[]>(`[${text.slice(part.start, part.end)}]`);
      // Nothing between two commas. Without a comma it is an empty list.
      if (items.length === 0 && list.commas.length > 0) throw notJson(text, await errorOffsetInTurns(text, turns));
      // Another value if the member is given twice, which the scan reports.
      const all = value[list.name];
      if (Array.isArray(all)) all.push(...items);
    }
  }
  if (scan.problems.length > 0) throw invalidRequest(scan.problems);
  return value;
}

/** The text with these lists empty. */
function withoutItems(text: string, lists: readonly JsonList[]): string {
  let rest = "";
  let from = 0;
  for (const { start, end } of lists) {
    rest += text.slice(from, start + 1);
    from = end;
  }
  return rest + text.slice(from);
}

/** Runs of whole items. If each of them is a list, so are all together. */
function* partsOf({ start, end, commas }: JsonList, minChars: number): Generator<{ start: number; end: number }> {
  let from = start + 1;
  for (const comma of commas) {
    if (comma - from < minChars) continue;
    yield { start: from, end: comma };
    from = comma + 1;
  }
  yield { start: from, end };
}

function textOf(bytes: Uint8Array): string {
  const body = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!isUtf8(body)) throw malformed(`it is not valid UTF-8 at byte ${invalidByteOffset(body)}`);
  return body.toString("utf8", startsWithMark(body) ? byteOrderMarkBytes : 0);
}

async function errorOffsetInTurns(text: string, turns: Turns): Promise<number | undefined> {
  const steps = jsonErrorSteps(text);
  let step = steps.next();
  while (!step.done) {
    if (turns.isOver()) await turns.next();
    step = steps.next();
  }
  return step.value;
}

function notJson(text: string, errorOffset = 0): Failure {
  return malformed(`it is not valid JSON at ${lineAndColumn(text, errorOffset)}`);
}

function malformed(problem: string): Failure {
  return new Failure("MALFORMED_BODY", { message: `the request body cannot be read: ${problem}` });
}

const byteOrderMarkBytes = 3;

function startsWithMark(body: Buffer): boolean {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf;
}

function lineAndColumn(text: string, offset: number): string {
  const before = text.slice(0, offset);
  const lastBreak = before.lastIndexOf("\n");
  return `line ${before.split("\n").length}, column ${offset - lastBreak}`;
}

const replacement = "\ufffd";

/** Offset of the first byte that is not UTF-8: where decoding inserts a replacement character that is not in the bytes. */
function invalidByteOffset(body: Buffer): number {
  const text = body.toString("utf8");
  let byteOffset = 0;
  let from = 0;
  for (let at = text.indexOf(replacement); at >= 0; at = text.indexOf(replacement, from)) {
    byteOffset += Buffer.byteLength(text.slice(from, at));
    if (body[byteOffset] !== 0xef || body[byteOffset + 1] !== 0xbf || body[byteOffset + 2] !== 0xbd) return byteOffset;
    byteOffset += 3;
    from = at + 1;
  }
  return byteOffset;
}
