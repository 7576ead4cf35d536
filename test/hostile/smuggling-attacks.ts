import type { Arena, Attack } from "./attack.ts";
import { exchange } from "./http1-wire.ts";
import type { Random } from "./random.ts";

/**
 * Request smuggling: messages whose end two parsers could see in different places. After that end follows a second request, which must not
 * be answered in any reading that RFC 9112 allows. It carries an X-Request-Id that the server would repeat.
 */
export const smugglingAttacks: readonly Attack[] = [{ name: "http1: smuggling", weight: 10, run: smuggle }];

async function smuggle(arena: Arena): Promise<void> {
  const { random, adminToken, report } = arena;
  const attack = "http1: smuggling";
  const marker = `smuggled-${random.word(12)}`;
  const hidden = `GET /v2alpha1/admin/issuedApiKeys HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${adminToken}\r\nX-Request-Id: ${marker}\r\n\r\n`;
  const { name, text } = random.pick(shapes)(random, hidden);
  const head = `POST /v2alpha1/admin/apiKeys:verify HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${adminToken}\r\nContent-Type: application/json\r\n`;
  report.count(attack, 1);
  const { responses, bytes } = await exchange(arena.port, [head + text], { answers: 1, lingerMs: 15, timeoutMs: 250 });
  for (const response of responses) report.judge(attack, response);
  if (bytes.includes(marker)) report.fault(attack, `${name}: the hidden request was answered`);
  if (responses.length > 1 && responses.some(({ httpStatus }) => httpStatus < 400))
    report.fault(attack, `${name}: ${responses.length} answers`);
}

type Shape = (random: Random, hidden: string) => { name: string; text: string };

/** An invalid length header, with the hidden request as the body that it might mean. */
const badLength: Shape = (random, hidden) => {
  const value = random.pick(["+5", "-1", "0x5", "5 5", "5,6", "1e1", "", " ", "5;", "18446744073709551617", "9".repeat(400), "٥", "\x005"]);
  return { name: `Content-Length "${value.slice(0, 24)}"`, text: `Content-Length: ${value}\r\n\r\n${hidden}` };
};

const lengthTwice: Shape = (random, hidden) => {
  const [first, second] = random.chance(0.5) ? [0, hidden.length] : [hidden.length, 0];
  return {
    name: "two lengths",
    text: `Content-Length: ${first}\r\n${random.pick(["Content-Length", "content-length", "CONTENT-LENGTH"])}: ${second}\r\n\r\n${hidden}`,
  };
};

const lengthAndChunked: Shape = (random, hidden) => {
  const value = random.pick(["chunked", "Chunked", " chunked ", "chunked,", "\tchunked"]);
  const [a, b] = [`Content-Length: ${hidden.length + 5}\r\n`, `Transfer-Encoding: ${value}\r\n`];
  return { name: "length and chunked", text: `${random.chance(0.5) ? a + b : b + a}\r\n0\r\n\r\n${hidden}` };
};

/** A transfer coding that is not plain chunked; the length covers the hidden request. */
const oddCoding: Shape = (random, hidden) => {
  const body = `0\r\n\r\n${hidden}`;
  const line = random.pick([
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: gzip, chunked, chunked",
    "Transfer-Encoding: chunked\x0b",
    "Transfer-Encoding:\x0cchunked",
    "Transfer-Encoding : chunked",
    "Transfer\x00-Encoding: chunked",
    "X: y\nTransfer-Encoding: chunked",
    "X: y\rTransfer-Encoding: chunked",
    "Transfer-Encoding:\r\n chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
    'Transfer-Encoding: "chunked"',
    "Transfer_Encoding: chunked",
  ]);
  return { name: JSON.stringify(line), text: `Content-Length: ${body.length}\r\n${line}\r\n\r\n${body}` };
};

/** Chunk sizes and ends that a lenient parser reads as the last chunk. */
const oddChunk: Shape = (random, hidden) => {
  const start = random.pick([
    "0x0\r\n\r\n",
    "-0\r\n\r\n",
    "+0\r\n\r\n",
    " 0\r\n\r\n",
    "0 \n\n",
    "0\n\n",
    "00000000000000000\n\r\n",
    "FFFFFFFFFFFFFFFFF\r\n",
    "10000000000000000\r\n\r\n",
    "1\r\nA0\r\n\r\n",
    "1\r\nAB\r\n0\r\n\r\n",
    "1;\nA\r\n0\r\n\r\n",
    "1;a\rb\r\nA\r\n0\r\n\r\n",
    '1;a="\n"\r\nA\r\n0\r\n\r\n',
    `1;${"x".repeat(20_000)}\r\nA\r\n0\r\n\r\n`,
    "\r\n0\r\n\r\n",
    "G\r\n\r\n",
    "0\rX\r\n",
  ]);
  return { name: `chunk ${JSON.stringify(start.slice(0, 24))}`, text: `Transfer-Encoding: chunked\r\n\r\n${start}${hidden}` };
};

/** Text in the trailers is neither a request nor a header. */
const trailerRequest: Shape = (_, hidden) => ({
  name: "request in the trailers",
  text: `Transfer-Encoding: chunked\r\n\r\n0\r\nX: ${hidden.replaceAll("\r\n", "\n")}\r\n\r\n`,
});

/** A header block that ends early for a parser that accepts other characters as a line end. */
const bareLineEnds: Shape = (random, hidden) => {
  const lineEnd = random.pick(["\r", "\n\r", "\0\r\n"]);
  return { name: `header ended by ${JSON.stringify(lineEnd)}`, text: `X: a${lineEnd}${lineEnd}${hidden}` };
};

const shapes: readonly Shape[] = [badLength, lengthTwice, lengthAndChunked, oddCoding, oddChunk, trailerRequest, bareLineEnds];
