import { Agent, request } from "node:http";

export interface Answer {
  readonly status: number;
  /** Undefined if the response has no body. */
  readonly body: unknown;
  readonly cacheStatus: string;
  /** When to ask again, if the response says it. */
  readonly retryAfterMs: number | undefined;
}

/** JSON/HTTP over connections that stay open. */
export interface HttpClient {
  /** Rejects only if no response arrives within `timeoutMs`. */
  send(method: string, path: string, body?: object, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  close(): void;
}

/** Longer than every time-out of the server itself. */
const timeoutMs = 10_000;

export function openHttpClient(port: number, token: string): HttpClient {
  const agent = new Agent({ keepAlive: true });
  return {
    send: (method, path, body, headers = {}) =>
      new Promise((resolve, reject) => {
        const text = body === undefined ? undefined : JSON.stringify(body);
        const content = text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
        const options = { agent, port, host: "127.0.0.1", method, path, timeout: timeoutMs };
        const call = request({ ...options, headers: { authorization: `Bearer ${token}`, ...content, ...headers } }, (response) => {
          let received = "";
          response.setEncoding("utf8");
          response.on("data", (chunk: string) => {
            received += chunk;
          });
          response.on("error", reject);
          response.on("end", () => {
            const status = response.statusCode ?? 0;
            const answerBody = received === "" ? undefined : (JSON.parse(received) as unknown);
            const { "cache-status": cacheStatus, "retry-after": retryAfter } = response.headers;
            const retryAfterMs = retryAfter === undefined ? undefined : Number(retryAfter) * 1000;
            resolve({ status, body: answerBody, cacheStatus: String(cacheStatus ?? ""), retryAfterMs });
          });
        });
        call.on("timeout", () => call.destroy(new Error(`${method} ${path}: no answer within ${timeoutMs} ms`)));
        call.on("error", reject);
        call.end(text);
      }),
    close: () => agent.destroy(),
  };
}
