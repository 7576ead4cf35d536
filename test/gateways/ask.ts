import { type IncomingHttpHeaders, request } from "node:http";
import { connect } from "node:http2";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface AskOptions {
  readonly method?: string;
  /** A list is sent as several lines. */
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Buffer;
  readonly localAddress?: string;
}

/** Sends one request over HTTP/1.1 on its own connection. The path is sent unchanged. */
export function ask(port: number, path: string, { method = "GET", headers = {}, body, localAddress }: AskOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({
      host: "127.0.0.1",
      port,
      path,
      method,
      headers: { ...headers },
      agent: false,
      ...(localAddress && { localAddress }),
    });
    sent.on("error", reject).on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() }),
      );
    });
    sent.end(body);
  });
}

/** Sends one request over HTTP/2. */
export async function askHttp2(port: number, path: string, { method = "GET", headers = {}, body }: AskOptions = {}): Promise<Answer> {
  const session = connect(`http://127.0.0.1:${port}`);
  try {
    const stream = session.request({ ":method": method, ":path": path, ...headers }, { endStream: body === undefined });
    if (body !== undefined) stream.end(body);
    return await new Promise((resolve, reject) => {
      let head: IncomingHttpHeaders & { ":status"?: number } = {};
      const chunks: Buffer[] = [];
      stream.on("response", (received) => (head = received)).on("data", (chunk: Buffer) => chunks.push(chunk));
      stream
        .on("error", reject)
        .on("end", () => resolve({ status: head[":status"] ?? 0, headers: head, body: Buffer.concat(chunks).toString() }));
    });
  } finally {
    session.close();
  }
}
