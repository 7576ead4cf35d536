import { IncomingMessage, ServerResponse } from "node:http";
import { type ClientHttp2Session, connect, createServer, type Http2Server } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";
import { capBrotliWindow } from "../../src/connect/brotli-window.ts";
import { createByteCollector } from "../../src/http/byte-collector.ts";
import { report, reportAsync, title } from "./report.ts";

const body = Buffer.alloc(200, "a");
const headers = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "x-request-id": "r",
  "content-type": "application/json",
};
const maxBytes = 1024 * 1024;
const pieces = Array.from({ length: 10_000 }, () => Buffer.alloc(1));

export async function measureHttp(): Promise<void> {
  title("http: bodies and heads");
  report("10,000 pieces of a byte, joined at the end", 30, () => Buffer.concat(pieces.map((piece) => Buffer.from(piece))));
  report("10,000 pieces of a byte (byte-collector.ts)", 30, collected);
  report("response head, an object (json-answer.ts)", 50_000, () => response().writeHead(200, headers));
  report("response head, setHeader for each", 50_000, headByHeaders);

  title("http: HTTP/2 requests, client included");
  await overHttp2("as request and response", (server) => server.on("request", (_request, answer) => answer.end(body)));
  await overHttp2("as a stream (http-exchange.ts)", (server) => {
    server.on("stream", (exchange) => {
      exchange.respond({ ":status": 200 });
      exchange.end(body);
    });
  });

  title("http: others");
  const bomb = brotliCompressSync(Buffer.alloc(2 ** 24), { params: { [constants.BROTLI_PARAM_LGWIN]: 24 } });
  report(`brotli of ${bomb.length} bytes with the largest window, refused`, 20, () => inflate(bomb));
  report("with a window for 1 MiB, refused (brotli-window.ts)", 20, () => inflate(capBrotliWindow(bomb, maxBytes)));
  report("100,000 requests kept in a Set, 64 at a time", 3, passThroughSet);
  report("100,000 requests kept in an array (exchanges.ts)", 3, passThroughArray);
}

function collected(): Buffer {
  const collector = createByteCollector(pieces.length);
  for (const piece of pieces) collector.add(piece);
  return collector.take();
}

function response(): ServerResponse {
  return new ServerResponse(new IncomingMessage(undefined as unknown as Socket));
}

function headByHeaders(): ServerResponse {
  const answer = response();
  for (const [name, value] of Object.entries(headers)) answer.setHeader(name, value);
  return answer.writeHead(200);
}

async function overHttp2(name: string, listen: (server: Http2Server) => void): Promise<void> {
  const server = createServer();
  listen(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await reportAsync(name, 4000, 16, () => exchange(client));
  client.close();
  await new Promise((resolve) => server.close(resolve));
}

function exchange(client: ClientHttp2Session): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = client.request({ ":path": "/" });
    request.on("error", reject);
    request.on("end", resolve);
    request.resume();
    request.end();
  });
}

function inflate(bytes: Uint8Array): unknown {
  try {
    return brotliDecompressSync(bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    return error;
  }
}

const requests = 100_000;
const inFlight = 64;

/** An object of about the size of a request. */
function newExchange(index: number) {
  return { index, members: Array.from({ length: 20 }, (_, member) => ({ member })) };
}

function passThroughSet(): unknown {
  const running = new Set<object>();
  const oldest: object[] = [];
  for (let i = 0; i < requests; i++) {
    const exchange = newExchange(i);
    running.add(exchange);
    const over = oldest[i % inFlight];
    if (over !== undefined) running.delete(over);
    oldest[i % inFlight] = exchange;
  }
  return running;
}

function passThroughArray(): unknown {
  const running: { index: number }[] = [];
  const oldest: { index: number }[] = [];
  for (let i = 0; i < requests; i++) {
    const exchange = newExchange(running.length);
    running.push(exchange);
    const over = oldest[i % inFlight];
    const last = over === undefined ? undefined : running.pop();
    if (over !== undefined && last !== undefined && last !== over) {
      running[over.index] = last;
      last.index = over.index;
    }
    oldest[i % inFlight] = exchange;
  }
  return running;
}
