import { Agent, request as requestHttps } from "node:https";
import { isLoopback, isPrivateLiteral, lookupPublic, privateAddress } from "./address.ts";

// Not by an import statement: see src/http/node-http.ts.
const { Agent: HttpAgent, request: requestHttp } = process.getBuiltinModule("node:http");

export interface FetchLimits {
  /** Covers everything from the look-up of the name to the last byte. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly allowsPrivateAddresses: boolean;
}

/**
 * Returns the body of a 200 response to a GET; does not follow redirects. Rejects with an Error whose message names neither the URL nor the
 * body.
 */
export function fetchText(url: URL, { timeoutMs, maxBytes, allowsPrivateAddresses }: FetchLimits): Promise<string> {
  if (!allowsPrivateAddresses && isPrivateLiteral(url)) return Promise.reject(new Error(privateAddress));
  const isHttps = url.protocol === "https:";
  if (!isHttps && !(allowsPrivateAddresses && isLoopback(url)))
    return Promise.reject(new Error("http:// is for loopback addresses that are allowed"));
  return new Promise((resolve, reject) => {
    const call = (isHttps ? requestHttps : requestHttp)(url, {
      // Not the process-wide agent: it may hold connections whose addresses were not checked.
      agent: isHttps ? new Agent({ keepAlive: false }) : new HttpAgent({ keepAlive: false }),
      headers: { accept: "application/jwk-set+json, application/json" },
      signal: AbortSignal.timeout(timeoutMs),
      ...(allowsPrivateAddresses ? {} : { lookup: lookupPublic }),
    });
    call.on("error", (error: NodeJS.ErrnoException) =>
      reject(error.name === "AbortError" ? new Error(`no answer within ${timeoutMs} ms`) : new Error(error.code ?? error.message)),
    );
    call.on("response", (response) => {
      if (response.statusCode !== 200) {
        reject(new Error(`status ${response.statusCode}`));
        call.destroy();
        return;
      }
      const chunks: Buffer[] = [];
      let byteLength = 0;
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        byteLength += chunk.length;
        if (byteLength <= maxBytes) return;
        reject(new Error(`more than ${maxBytes} bytes`));
        call.destroy();
      });
      response.on("error", () => reject(new Error("the connection broke")));
      response.on("end", () => resolve(Buffer.concat(chunks).toString()));
    });
    call.end();
  });
}
